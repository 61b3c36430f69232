"""Settings: what is not known or not right stops the start, naming the variable and the remedy."""

from __future__ import annotations

import pytest

from app import settings
from app.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(settings.variable(field), raising=False)


def test_a_demo_needs_nothing() -> None:
    found = settings.load(demo=True)
    assert (found.guideline, found.budget_ms, found.public_url) == ("lmwh-first-2014", 1200, "http://127.0.0.1:8000")


def test_the_card_key_of_a_demo_is_the_same_everywhere() -> None:
    assert settings.load(demo=True).card_secret == settings.load(demo=True).card_secret != b""


def test_the_environment_is_read_and_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_DEMO", "false")
    monkeypatch.setenv("CAT_CDS_BUDGET_MS", "900")
    monkeypatch.setenv("CAT_CDS_TIMEZONE", "Europe/Vienna")
    monkeypatch.setenv("CAT_CDS_CODE_PACKS", "cpt, icd9cm")
    found = settings.load(demo=True, demo_public=None)
    assert (found.demo, found.budget_ms, found.timezone) == (True, 900, "Europe/Vienna")
    assert found.code_packs == ("cpt", "icd9cm")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_BUDGET_MS", "")
    assert settings.load(demo=True).budget_ms == 1200


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("CAT_CDS_BUGET_MS", "900", "CAT_CDS_BUDGET_MS"),
        ("CAT_CDS_BUDGET_MS", "soon", "integer"),
        ("CAT_CDS_BUDGET_MS", "0", "50"),
        ("CAT_CDS_TIMEZONE", "Vienna", "Europe/Vienna"),
        ("CAT_CDS_TIMEZONE", "../etc/passwd", "Europe/Vienna"),
        ("CAT_CDS_PUBLIC_URL", "cds.example", "https://cds.example.org"),
        ("CAT_CDS_CARD_KEY", "short", "openssl rand"),
        ("CAT_CDS_LOG_LEVEL", "loud", "warning"),
        ("CAT_CDS_SPEC_VERSION", "2.0", "pattern"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings.load(demo=True)
    assert name in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_secret_is_not_shown_when_it_is_wrong_nor_when_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_CARD_KEY", "hush")
    with pytest.raises(SettingsError) as caught:
        settings.load(demo=True)
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("CAT_CDS_CARD_KEY", "hush" * 8)
    assert "hush" not in repr(settings.load(demo=True))


def test_without_demo_clients_and_a_card_key_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="CAT_CDS_CLIENTS_FILE is not set"):
        settings.load()
    monkeypatch.setenv("CAT_CDS_CLIENTS_FILE", "clients.toml")
    with pytest.raises(SettingsError, match="CAT_CDS_CARD_KEY is not set"):
        settings.load()
    monkeypatch.setenv("CAT_CDS_CARD_KEY", "k" * 32)
    assert settings.load().card_secret == b"k" * 32


def test_a_public_demo_is_a_demo() -> None:
    with pytest.raises(SettingsError, match="CAT_CDS_DEMO"):
        settings.load(demo_public=True)


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
