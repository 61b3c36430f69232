"""The clients file: what an entry may say, and what stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import clients_file
from app.clients import ClientsError, demo_caller
from app.settings import Settings

SETTINGS = Settings(card_key="k" * 32, guideline="lmwh-first-2014", timezone="UTC")
ENTRY = """
[[client]]
name = "north-hospital"
issuer = "https://ehr.example"
jwks_file = "north.json"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "north.json").write_text("{}")
    return tmp_path / "clients.toml"


def test_what_an_entry_leaves_open_comes_from_the_settings(file: Path) -> None:
    file.write_text(ENTRY)
    (client,) = clients_file.load(file)
    caller = client.caller("", SETTINGS)
    assert (caller.profile, caller.timezone, caller.budget_ms) == ("lmwh-first-2014", "UTC", 1200)
    assert (caller.replace, caller.delete) == ("create-delete", "resourceId")
    assert caller.fhir_servers == ()
    assert client.algorithms == ["ES384", "RS384"]
    assert client.jwks_file == str(file.parent / "north.json")


def test_an_entry_may_say_all_that_was_agreed(file: Path) -> None:
    file.write_text(
        ENTRY
        + """
tenants = ["a"]
origins = ["https://ehr.example"]
fhir_servers = ["https://ehr.example/r4/"]
open_fhir_servers = ["https://open.example/r4"]
services = ["cat-patient-view"]
profile = "contemporary-2023"
timezone = "Europe/Vienna"
budget_ms = 800
replace = "update"
delete = "resource"
[client.prefetch]
weight = "Observation?patient={{context.patientId}}&code=weight"
"""
    )
    caller = clients_file.load(file)[0].caller("a", SETTINGS)
    assert (caller.tenant, caller.profile, caller.timezone, caller.budget_ms) == (
        "a",
        "contemporary-2023",
        "Europe/Vienna",
        800,
    )
    assert caller.fhir_servers == ("https://ehr.example/r4", "https://open.example/r4")
    assert caller.open_servers == ("https://open.example/r4",)
    assert (caller.replace, caller.delete, caller.services) == ("update", "resource", ("cat-patient-view",))
    assert caller.prefetch["weight"].endswith("code=weight")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "client"),
        ("[[client", "cannot be read"),
        ("[server]\nx = 1", "client"),
        (ENTRY + "x = 1\n[client.prefetch]\n", "x: Extra"),
        (ENTRY.replace('"north-hospital"', '"North Hospital"'), "name"),
        (ENTRY.replace('issuer = "https://ehr.example"', ""), "issuer"),
        (ENTRY.replace("north.json", "south.json"), "south.json does not exist"),
        (ENTRY.replace('jwks_file = "north.json"', ""), "jwks_file and jwks_url"),
        (ENTRY.replace('jwks_file = "north.json"', 'jwks_url = "http://ehr.example/jwks"'), "https"),
        (ENTRY + 'algorithms = ["HS256"]', "algorithms"),
        (ENTRY + 'algorithms = ["none"]', "algorithms"),
        (ENTRY + 'fhir_servers = ["http://ehr.example/r4"]', "https base URL"),
        (ENTRY + 'fhir_servers = ["https://u:p@ehr.example/r4"]', "https base URL"),
        (ENTRY + 'origins = ["https://ehr.example/"]', "origin"),
        (ENTRY + 'origins = ["*"]', "origin"),
        (ENTRY + 'timezone = "Vienna"', "timezone"),
        (ENTRY + "budget_ms = 1", "budget_ms"),
        (ENTRY + 'replace = "both"', "replace"),
        (ENTRY + ENTRY.replace("https://ehr.example", "https://b.example"), "two clients of the name"),
        (ENTRY + ENTRY.replace("north-hospital", "b"), "two clients of the issuer"),
    ],
)
def test_a_wrong_file_is_named_with_the_entry_and_what_is_wrong(file: Path, content: str, words: str) -> None:
    file.write_text(content)
    with pytest.raises(ClientsError) as caught:
        clients_file.load(file)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClientsError, match=r"clients\.toml cannot be read"):
        clients_file.load(tmp_path / "clients.toml")


def test_a_demo_asks_servers_on_this_machine_and_in_public_only_those_listed() -> None:
    at_home = demo_caller(Settings(demo=True, public_url="http://127.0.0.1:9000"))
    assert at_home.any_loopback_server
    assert at_home.fhir_servers == ("http://127.0.0.1:9000/fhir",)
    listed = Settings(
        demo=True, demo_public=True, public_url="https://d.example", demo_fhir_servers=("https://r4.example/",)
    )
    in_public = demo_caller(listed)
    assert not in_public.any_loopback_server
    assert in_public.fhir_servers == in_public.open_servers == ("https://d.example/fhir", "https://r4.example")
