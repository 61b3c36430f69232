"""``cat-cds config``: what would stop the start is told without starting, each fault with file, line and remedy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app import clients_file, known_names, settings
from app.cli import main
from app.cli.config import EXIT_WRONG_SETTINGS
from app.clients import Client
from hooks import knowledge

KEY = ec.generate_private_key(ec.SECP384R1())
ENTRY = """# Ours
[[client]]
name = "north"
issuer = "https://ehr.example"
jwks_file = "north.json"
"""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in settings.Settings.model_fields:
        monkeypatch.delenv(settings.variable(field), raising=False)
    monkeypatch.setenv("CAT_CDS_CARD_KEY", "k" * 32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    (tmp_path / "north.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1"}]}))
    (tmp_path / "clients.toml").write_text(ENTRY)
    return tmp_path / "clients.toml"


@pytest.fixture(scope="module")
def known() -> dict[str, frozenset[str]]:
    return known_names(knowledge.load())


def check(*options: str) -> Result:
    return CliRunner().invoke(main, ["config", "check", *options])


def faults(*options: str) -> list[str]:
    found = check(*options)
    assert found.exit_code == EXIT_WRONG_SETTINGS
    assert found.stdout == ""
    lines = found.stderr.splitlines()
    assert all(line.startswith("cat-cds: ") for line in lines)
    return lines


def test_what_is_right_is_said_in_one_line(file: Path) -> None:
    found = check("--clients", str(file))
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout == f"The settings are right, 1 client in {file}.\n"


def test_the_file_of_the_settings_is_checked_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_CLIENTS_FILE", str(file))
    assert str(file) in check().stdout


def test_without_any_clients_file_the_remedy_is_told() -> None:
    (line,) = faults()
    assert "CAT_CDS_CLIENTS_FILE is not set" in line


def test_settings_and_clients_are_both_checked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_GUIDLINE", "x")
    file.write_text(ENTRY + 'timezone = "Vienna"\n')
    first, second = faults("--clients", str(file))
    assert "CAT_CDS_GUIDLINE is not a setting" in first
    assert f"{file}, line 6: client 1, timezone" in second


def test_an_unknown_profile_of_the_settings_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAT_CDS_GUIDELINE", "chest-1950")
    (line,) = faults("--clients", str(file))
    assert "CAT_CDS_GUIDELINE: there is no profile chest-1950. Use one of: contemporary-2023" in line


@pytest.mark.parametrize(
    ("added", "line", "words"),
    [
        ('timezone = "Vienna"', 6, ("timezone", "Europe/Vienna")),
        ('time_zone = "Europe/Vienna"', 6, ("time_zone", "did you mean timezone?")),
        ("budget_ms = 1", 6, ("budget_ms", "50", "time for a whole call")),
        ('silent = "yes"', 6, ("silent", "boolean")),
        ('profile = "chest-1950"', 6, ("there is no chest-1950", "lmwh-first-2014")),
        ('services = ["cat-order-sing"]', 6, ("there is no cat-order-sing", "cat-order-sign")),
        ('silent_rules = ["doac"]', 6, ("there is no doac", "doac-in-cancer")),
        ('\n[client.prefetch]\nweights = "Observation"', 8, ("prefetch.weights", "there is no weights", "weight")),
        ("[client.prefetch]\nweight = 7", 7, ("prefetch.weight", "string")),
        ('fhir_servers = [\n  "https://a.example",\n  "http://b.example",\n]', 6, ("http://b.example", "https")),
        ('[[client]]\nname = "north"\nissuer = "https://b.example"\njwks_file = "north.json"', 7, ("two clients",)),
        ('[[client]]\nname = "south"\nissuer = "https://b.example"', 6, ("client 2", "jwks_file and jwks_url")),
        ('[[client]]\nname = "south"\nissuer = "x"\njwks_file = "s.json"', 9, ("s.json does not exist", "Put")),
        ("x = ", 6, ("cannot be read", "TOML")),
    ],
)
def test_a_fault_is_told_with_file_line_and_remedy(
    file: Path, known: dict[str, frozenset[str]], added: str, line: int, words: tuple[str, ...]
) -> None:
    file.write_text(ENTRY + added + "\n")
    found = clients_file.read(file)
    (told,) = (str(fault) for fault in (*found.faults, *clients_file.unknown_names(found, known)))
    assert f"{file}, line {line}: " in told
    assert [word for word in words if word not in told] == []


def test_all_faults_are_told_at_once(file: Path) -> None:
    file.write_text(ENTRY + 'timezone = "Vienna"\nbudget_ms = 1\nx = 1\n')
    assert len(faults("--clients", str(file))) == 3


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]"])
def test_an_internal_address_needs_to_be_meant(file: Path, address: str) -> None:
    servers = f'fhir_servers = ["https://ehr.example", "https://{address}:8443/r4"]\n'
    file.write_text(ENTRY + servers)
    (fault,) = clients_file.internal_addresses(clients_file.read(file))
    assert f"{file}, line 6: client 1, fhir_servers: https://{address}:8443/r4 is an internal address." in str(fault)
    assert "internal_network = true" in fault.words


def test_an_internal_address_that_is_meant_is_right(file: Path) -> None:
    file.write_text(ENTRY + 'fhir_servers = ["https://10.1.2.3/r4"]\ninternal_network = true\n')
    assert check("--clients", str(file)).exit_code == 0


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (b"", "no JWK Set"),
        (b"[]", "no JWK Set"),
        (b'{"keys": []}', "no public key with a kid that fits ES384 or RS384"),
        (orjson.dumps({"keys": [{**ECAlgorithm.to_jwk(KEY, as_dict=True), "kid": "k1"}]}), "no public key"),
        (orjson.dumps({"keys": [ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)]}), "with a kid"),
    ],
)
def test_a_key_file_that_proves_nothing_is_told(file: Path, keys: bytes, words: str) -> None:
    (file.parent / "north.json").write_bytes(keys)
    (fault,) = clients_file.unusable_keys(clients_file.read(file))
    assert f"{file}, line 5: client 1, jwks_file: " in str(fault)
    assert words in fault.words


def test_the_command_looks_into_the_key_files(file: Path) -> None:
    (file.parent / "north.json").write_bytes(b"[]")
    (line,) = faults("--clients", str(file))
    assert "no JWK Set" in line


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    for name, words in (("none.toml", "No such file"), ("odd.toml", "not UTF-8")):
        (fault,) = clients_file.read(tmp_path / name).faults
        assert f"{tmp_path / name} cannot be read: " in str(fault)
        assert words in fault.words


def test_the_example_can_be_used_as_it_is_and_shows_every_key(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["config", "example"])
    assert printed.exit_code == 0
    (tmp_path / "clients.toml").write_text(printed.stdout)
    (client,) = clients_file.load(tmp_path / "clients.toml")
    assert client.model_fields_set == set(Client.model_fields) - {"jwks_file"}
    assert "# jwks_file = " in printed.stdout
    assert check("--clients", str(tmp_path / "clients.toml")).exit_code == 0
    shown = tomllib.loads(printed.stdout)["client"][0]
    assert [
        key
        for key, field in Client.model_fields.items()
        if key in shown and f"# {field.description}" not in printed.stdout
    ] == []


def test_every_key_says_what_it_is() -> None:
    assert [key for key, field in Client.model_fields.items() if not (field.description and field.examples)] == []
