"""What the pages show is true: the example of a clients file loads, the changelog and the notices are complete."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
import requests
from click.testing import CliRunner
from werkzeug.serving import WSGIRequestHandler, make_server

from app import auth, clients, clients_file, create_app, fhir_client, hook_request, sources
from app.cli import main
from app.demo import anchor
from app.demo.drafts import draft, wish
from app.hook_request import FhirAccess
from app.routes import call
from app.settings import Settings
from app.store.database import Database
from hooks import knowledge
from tests.house import rules

SYSTEMS_WITH_NOTICE = {"rxnorm": "RxNorm", "loinc": "LOINC", "snomed": "SNOMED CT", "atc": "ATC", "cpt": "CPT"}


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def demo(project_root: Path) -> Iterator[str]:
    """The address of the service in demo mode, as `make run` starts it, on a day of its patients."""
    fixtures = project_root / "fixtures" / "ehr"
    day = anchor(fixtures)
    server = make_server("127.0.0.1", 0, flask.Flask("to come"), threaded=True, request_handler=Silent)
    address = f"http://127.0.0.1:{server.server_port}"
    settings = Settings(demo=True, fixtures=fixtures, public_url=address, budget_ms=10_000)
    server.app = create_app(settings, today=lambda _zone: day, write=lambda *_: None)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


CURL = re.compile(
    r"^\$ curl -s (?P<address>\S+)(?: [^\n]*? -d '(?P<body>[^']*)')? "
    r"\| grep -oE '(?P<words>[^']*)'\n(?P<printed>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def test_every_curl_of_the_readme_prints_what_the_readme_says(demo: str, project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    shown = list(CURL.finditer(readme.replace("http://127.0.0.1:8000", demo)))
    assert len(shown) == readme.count("$ curl ") >= 3

    for one in shown:
        body = json.loads(one["body"]) if one["body"] else None
        answer = requests.request("POST" if body else "GET", one["address"], json=body, timeout=20)
        assert [found[0] for found in re.finditer(one["words"], answer.text)] == one["printed"].splitlines()


@pytest.fixture(scope="module")
def example(project_root: Path) -> str:
    """The clients file that docs/connecting.md shows."""
    page = (project_root / "docs" / "connecting.md").read_text(encoding="utf-8")
    block = re.search(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert block, "docs/connecting.md shows no clients file"
    return block[1]


def test_the_clients_file_in_the_docs_can_be_used_as_it_is(example: str, tmp_path: Path) -> None:
    (tmp_path / "test-system.jwks.json").write_text('{"keys": []}', encoding="utf-8")
    (tmp_path / "clients.toml").write_text(example, encoding="utf-8")

    assert [client.name for client in clients_file.load(tmp_path / "clients.toml")] == ["city-hospital", "test-system"]


def test_the_clients_file_in_the_docs_is_the_one_that_the_command_prints(example: str) -> None:
    assert example.startswith(clients_file.example())


def test_the_clients_file_in_the_docs_shows_every_key(example: str) -> None:
    shown = {key for client in tomllib.loads(example)["client"] for key in client}

    assert shown == set(clients.Client.model_fields)


def test_the_changelog_keeps_to_its_format(project_root: Path) -> None:
    text = (project_root / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)

    assert versions[0] == ("Unreleased", "")
    assert [v for v in versions[1:] if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", f"{v[0]}{v[1]}")] == []
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


def test_each_code_system_that_asks_for_a_notice_has_one_that_names_its_files(project_root: Path) -> None:
    notice = (project_root / "NOTICE").read_text(encoding="utf-8")
    paragraphs = {block.splitlines()[0]: block for block in notice.split("\n\n")}
    codes = project_root / "hooks" / "data" / "codes"
    files = {
        system: [path.name for path in codes.glob("*.csv") if system in re.split(r"[-_]", path.stem)]
        for system in SYSTEMS_WITH_NOTICE
    }

    assert all(files.values()), "no file of codes names its system"
    for system, names in files.items():
        about = paragraphs[SYSTEMS_WITH_NOTICE[system]]
        assert [name for name in names if f"hooks/data/codes/{name}" not in about] == []
        assert f"| {SYSTEMS_WITH_NOTICE[system]} |" in (project_root / "README.md").read_text(encoding="utf-8")


def test_the_notices_name_every_file_that_is_not_ours_and_no_other(project_root: Path) -> None:
    notice = (project_root / "NOTICE").read_text(encoding="utf-8")
    data = project_root / "hooks" / "data"
    listed = tomllib.loads((data / "sources.toml").read_text(encoding="utf-8"))["files"]
    foreign = {f"hooks/data/{name}" for name, source in listed.items() if source["licence"] != "Apache-2.0"}

    assert set(re.findall(r"hooks/data/[\w/.-]+\.csv", notice)) == foreign


def test_the_packs_that_may_be_left_out_are_those_of_the_data(project_root: Path) -> None:
    listed = tomllib.loads((project_root / "hooks" / "data" / "sources.toml").read_text(encoding="utf-8"))["files"]
    shown = re.search(r"separated by commas: ([^(]+)\(`core`", page(project_root, "deploying.md"))
    assert shown

    assert {*re.findall(r"`([a-z-]+)`", shown[1]), "core"} == {source["pack"] for source in listed.values()}


def test_the_readme_says_that_it_is_no_medical_device_and_that_nobody_has_reviewed_it(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    profiles = [
        tomllib.loads(path.read_text(encoding="utf-8")) for path in project_root.glob("hooks/data/guidelines/*.toml")
    ]
    reviewers = {profile["reviewer"] for profile in profiles if "reviewer" in profile}

    assert "Not a medical device" in readme
    assert ("No clinician has reviewed" in readme) == (reviewers <= {"not yet reviewed"})


def test_every_subcommand_that_the_pages_and_the_makefile_use_is_there(project_root: Path) -> None:
    pages = [*rules.pages(project_root), project_root / "Makefile"]
    used = {
        tuple(words.split())
        for page in pages
        for words in re.findall(r"/cat-cds (codes [a-z]+|[a-z]+)\b", page.read_text(encoding="utf-8"))
    }

    assert {("serve",), ("try",), ("codes", "check")} <= used
    for words in sorted(used):
        answer = CliRunner().invoke(main, [*words, "--help"])
        assert answer.exit_code == 0, f"cat-cds {' '.join(words)}: {answer.output or answer.exception}"


def page(root: Path, name: str) -> str:
    """The text of a page in docs."""
    return (root / "docs" / name).read_text(encoding="utf-8")


# docs/sandbox.md


def sandbox_rows(root: Path) -> list[tuple[str, str, str, str]]:
    """(patient, drug, rule, indicator) of the table; rule and indicator are empty where no card is to come."""
    rows = re.findall(
        r"^\| [^|]+ \| `([a-z-]+)` \| ([a-z]+) \| (?:`([a-z-]+)` \((\w+)\)|none[^|]*) \|$",
        page(root, "sandbox.md"),
        re.MULTILINE,
    )
    assert len(rows) == page(root, "sandbox.md").count("\n| ") - 1, "a row of the table cannot be read"
    return rows


def as_the_sandbox_sends_it(patient: str, drug: str, fhir: str) -> dict[str, object]:
    """An order-select call with the bad habits of the sandbox: no Bundle type, objects for arrays, doses in pills."""
    order = draft(
        wish(drug), draft_id="request-123", patient_id=patient, user_id="Practitioner/example", day=anchor_day()
    )
    order["category"] = order["category"][0] if order.get("category") else {"text": "community"}
    order["reasonCode"] = {"text": "thrombosis"}
    order["dosageInstruction"] = [
        {
            "doseAndRate": [{"doseQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "{pill}"}}],
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        }
    ]
    return {
        "hook": "order-select",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": fhir,
        "context": {
            "userId": "Practitioner/example",
            "patientId": patient,
            "selections": ["MedicationRequest/request-123"],
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]},
        },
    }


def anchor_day() -> date:
    return anchor(Path(__file__).resolve().parents[1] / "fixtures" / "ehr")


def test_the_sandbox_shows_what_its_page_says(demo: str, project_root: Path) -> None:
    shown = {}
    for patient, drug, *_ in sandbox_rows(project_root):
        body = as_the_sandbox_sends_it(patient, drug, f"{demo}/fhir")
        answer = requests.post(f"{demo}/cds-services/cat-order-select", json=body, timeout=20)
        first = next(iter(answer.json()["cards"]), None)
        shown[patient, drug] = (first["source"]["topic"]["code"], first["indicator"]) if first else ("", "")

    assert shown == {(patient, drug): (rule, how) for patient, drug, rule, how in sandbox_rows(project_root)}


def test_the_link_into_the_sandbox_names_the_demo_and_its_first_patient(demo: str, project_root: Path) -> None:
    link = re.search(r"<(https://sandbox\.cds-hooks\.org/\?\S+)>", page(project_root, "sandbox.md"))
    assert link
    named = {
        name: values[0].replace("http://127.0.0.1:8000", demo)
        for name, values in parse_qs(urlsplit(link[1]).query).items()
    }

    assert set(named) == {"fhirServiceUrl", "serviceDiscoveryURL", "patientId"}
    assert requests.get(f"{named['fhirServiceUrl']}/Patient/{named['patientId']}", timeout=20).ok
    assert len(requests.get(named["serviceDiscoveryURL"], timeout=20).json()["services"]) == 3


def test_every_address_of_this_machine_on_the_pages_answers(demo: str, project_root: Path) -> None:
    named = {
        address
        for one in rules.pages(project_root)
        for address in re.findall(r"http://127\.0\.0\.1:8000[\w/.-]*[\w/]", one.read_text(encoding="utf-8"))
    }

    assert len(named) > 3
    for address in sorted(named):
        here = address.replace("http://127.0.0.1:8000", demo)
        wanted = {405} if address.endswith(("cat-patient-view", "cat-order-select", "cat-order-sign")) else {200}
        if address != "http://127.0.0.1:8000/fhir":
            assert requests.get(here, timeout=20).status_code in wanted, address


# docs/fhir-servers.md


def test_a_demo_asks_the_fhir_servers_that_its_page_lists(project_root: Path) -> None:
    listed = re.search(
        r"^CAT_CDS_DEMO_FHIR_SERVERS=(\S+) make run", page(project_root, "fhir-servers.md"), re.MULTILINE
    )
    assert listed
    servers = tuple(listed[1].split(","))
    caller = clients.demo_caller(Settings(demo=True, demo_fhir_servers=servers))

    assert len(servers) == 2
    for server in (*servers, "http://127.0.0.1:8080/fhir"):
        assert fhir_client.allowed(FhirAccess(server=server), caller), server
    assert not fhir_client.allowed(FhirAccess(server="https://elsewhere.example.org/r4"), caller)


# docs/go-live.md


def test_the_clients_file_of_the_go_live_page_can_be_used(project_root: Path, tmp_path: Path) -> None:
    block = re.search(r"^```toml\n(.*?)^```", page(project_root, "go-live.md"), re.MULTILINE | re.DOTALL)
    assert block
    (tmp_path / "clients.toml").write_text(block[1], encoding="utf-8")

    (client,) = clients_file.load(tmp_path / "clients.toml")
    assert client.silent


@pytest.mark.parametrize("form", [".read", ".rs"])
def test_the_scopes_of_the_go_live_page_let_everything_be_read(form: str, project_root: Path) -> None:
    scopes = tuple(
        scope.replace(".read", form) for scope in re.findall(r"patient/\w+\.read", page(project_root, "go-live.md"))
    )
    access = FhirAccess(server="https://fhir.example.org", token="t", scopes=scopes)

    types = {(row.resource_type, not row.is_read) for row in sources.table(knowledge.load().labs)} | {
        ("Medication", False)
    }
    assert [kind for kind, search in types if not fhir_client.covers(access, kind, search=search)] == []
    assert len(scopes) == len({kind for kind, _ in types})


def test_the_words_of_the_log_on_the_go_live_page_are_those_of_the_code(project_root: Path) -> None:
    def words(mark: str) -> list[str]:
        row = next(line for line in page(project_root, "go-live.md").splitlines() if line.startswith(mark))
        return re.findall(r"`([a-z-]+)`", row.split(" | ", 1)[1])

    trusting = Path(auth.__file__).read_text(encoding="utf-8")
    assert [word for word in words('| `"status": 401` ') if f'"{word}"' not in trusting] == []
    silent = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (call, hook_request))
    assert [word for word in words("| `silence` ") if f'"{word}"' not in silent] == []


# docs/operations.md


def test_the_page_on_running_names_every_counter_and_no_other(demo: str, project_root: Path) -> None:
    there = {
        name.removesuffix("_created")
        for name in re.findall(
            r"^# TYPE (cat_cds_\w+) ", requests.get(f"{demo}/metrics", timeout=20).text, re.MULTILINE
        )
    }
    there = {name for name in there if name.endswith(("_total", "_seconds"))}

    assert set(re.findall(r"\bcat_cds_\w+", page(project_root, "operations.md"))) == there


def test_the_backup_command_writes_a_copy_that_can_be_used(project_root: Path, tmp_path: Path) -> None:
    command = re.search(r"^python3 (-c .*)$", page(project_root, "operations.md"), re.MULTILINE)
    assert command
    database = Database(f"sqlite:///{tmp_path / 'cat-cds.db'}")
    database.upgrade()

    subprocess.run([sys.executable, *shlex.split(command[1])], cwd=tmp_path, check=True)

    copy = Database(f"sqlite:///{tmp_path / 'cat-cds-backup.db'}")
    copy.check()
    copy.close()
    with sqlite3.connect(tmp_path / "cat-cds-backup.db") as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (0,)
    connection.close()


# All pages


def test_every_link_between_the_pages_leads_somewhere(project_root: Path) -> None:
    dead = []
    for one in rules.pages(project_root):
        for target, _, heading in re.findall(
            r"\]\(((?!https?:)[^)#\s]*)(#([^)\s]+))?\)", one.read_text(encoding="utf-8")
        ):
            there = (one.parent / target).resolve() if target else one
            if not there.exists() or (heading and there.suffix == ".md" and heading not in anchors(there)):
                dead.append(f"{one.name}: {target}#{heading}")

    assert dead == []


def anchors(page_at: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page_at.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_in_the_docs_is_there_with_its_options(project_root: Path) -> None:
    groups = "codes|config|db|feedback|rules"
    used = {
        (tuple(words.split()), tuple(re.findall(r"--[a-z-]+", rest)))
        for one in rules.pages(project_root)
        for words, rest in re.findall(
            rf"\bcat-cds ((?:{groups}) [a-z]+|serve|try)\b([^`\n]*)", one.read_text(encoding="utf-8")
        )
    }

    assert len(used) > 8
    for words, options in sorted(used):
        answer = CliRunner().invoke(main, [*words, "--help"])
        assert answer.exit_code == 0, f"cat-cds {' '.join(words)}: {answer.output or answer.exception}"
        assert [option for option in options if option not in answer.output] == [], words
