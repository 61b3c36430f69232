"""All the knowledge together: loaded once, named by its content."""

from pathlib import Path

import pytest

from hooks import knowledge as module
from hooks.knowledge import load
from tests.hooks.spoilt_data import add, spoil
from tests.hooks.strategies import PROFILES, knowledge


def test_both_profiles_and_all_rules_are_there() -> None:
    book = knowledge()
    assert tuple(book.profiles) == tuple(sorted(PROFILES))
    assert book.rule("pregnancy").number == 29
    with pytest.raises(KeyError):
        book.rule("no-such-rule")


def test_the_version_names_the_content() -> None:
    assert load().version == knowledge().version
    assert len(knowledge().version) == 12


def test_the_version_changes_with_any_data_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = module._version()
    data = spoil(tmp_path, "override-reasons.csv", add("other,Another reason"))
    monkeypatch.setattr(module, "DATA", data)
    assert module._version() != before
