"""What the client asks of a FHIR server that nobody here wrote, and how it takes what that server does its own way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.fhir_client import Deadline, FhirClient
from app.gather import Got, Reach, gather, with_medications
from app.hook_request import FhirAccess, HookRequest
from app.sources import Source, table
from hooks import knowledge
from tests.app.test_every_patient import HAS_A_MEDICATION_REFERENCE
from tests.integration.sekmet import TOKEN, Sekmet

pytestmark = pytest.mark.xdist_group("sekmet")

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads records of a patient as the service does, and remembers every address that it asks."""

    server: Sekmet
    patient: str
    reach: Reach
    asked: list[str] = field(default_factory=list)

    def got(self, source: Source) -> Got:
        request = HookRequest(service_id="s", hook="patient-view", hook_instance="i", patient_id=self.patient)
        return gather([source], request, self.reach)[source.key]


@pytest.fixture
def reader(server_of: dict[str, Sekmet]) -> Iterator[Reader]:
    server, asked = server_of[HAS_A_MEDICATION_REFERENCE], []
    client = FhirClient(max_bytes=10_000_000, connections=8)

    def fetch(access: FhirAccess, address: str, deadline: Deadline) -> Json:
        asked.append(address)
        return client.get(access, address, deadline)

    with ThreadPoolExecutor(8) as pool:
        reach = Reach(
            access=FhirAccess(server=server.base, token=TOKEN, scopes=("system/*.rs",), internal=True),
            fetch=fetch,
            pool=pool,
            deadline=Deadline(clock=time.monotonic, at=time.monotonic() + 60),
            max_pages=50,
        )
        yield Reader(server=server, patient=HAS_A_MEDICATION_REFERENCE, reach=reach, asked=asked)


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return {source.key: source for source in table(knowledge.load().labs)}


def ids(got: Got) -> list[str]:
    return [resource["id"] for resource in got.resources]


def test_a_search_over_pages_finds_what_one_page_holds(reader: Reader, sources: dict[str, Source]) -> None:
    """The server's link to the next page is its own: absolute, with `_offset`, which R4 leaves to servers."""
    source = sources["conditions"]
    whole = reader.got(source)
    assert len(whole.resources) > 4
    pages = reader.got(replace(source, template=source.template.replace("_count=250", "_count=2")))
    assert ids(pages) == ids(whole)
    assert pages.gap is None
    offsets = [parse_qs(urlsplit(address).query).get("_offset") for address in reader.asked]
    assert offsets == [None, None, *([str(at)] for at in range(2, len(whole.resources), 2))]


def test_the_newest_results_come_first_and_no_further_page_is_read(reader: Reader, sources: dict[str, Source]) -> None:
    """`_sort=-date` and a list of system|code: the newest, all of these codes."""
    for key in ("creatinine", "platelets", "weight", "height"):
        source = sources[key]
        codes = set(parse_qs(source.template)["code"][0].split(","))
        newest = reader.got(replace(source, template=source.template.rpartition("_count=")[0] + "_count=2"))
        assert newest.gap is None
        found = [
            (one["effectiveDateTime"], {f"{c['system']}|{c['code']}" for c in one["code"]["coding"]} & codes)
            for one in newest.resources
        ]
        assert len(found) == 2, key
        assert found[0][0] >= found[1][0]
        assert all(of_these for _, of_these in found)
        whole = reader.server.read(f"{source.query(reader.patient).partition('&_sort')[0]}&_count=1000")
        assert found[0][0] == max(entry["resource"]["effectiveDateTime"] for entry in whole["entry"])
    assert len(reader.asked) == 4


def test_a_parameter_that_the_server_does_not_know_costs_no_record(reader: Reader, sources: dict[str, Source]) -> None:
    """It leaves the parameter out and says so by an OperationOutcome among the matches (R4, search: errors). A warning
    is no failure; a template of a client may hold such a parameter.
    """
    source = sources["conditions"]
    odd = replace(source, template=source.template + "&colour=red")
    entries = reader.server.read(odd.query(reader.patient))["entry"]
    assert Counter(entry["search"]["mode"] for entry in entries)["outcome"] == 1
    assert entries[-1]["resource"]["issue"][0]["severity"] == "warning"
    got = reader.got(odd)
    assert got.gap is None
    assert ids(got) == ids(reader.got(source))


def test_an_empty_search_has_no_entries_and_is_no_gap(reader: Reader, sources: dict[str, Source]) -> None:
    assert "entry" not in reader.server.read(sources["pregnancy"].query(reader.patient))
    got = reader.got(sources["pregnancy"])
    assert (got.resources, got.gap) == ((), None)


def test_a_medication_is_read_once_and_not_when_it_came_along(reader: Reader, sources: dict[str, Source]) -> None:
    source = sources["medications"]
    read = with_medications(reader.got(source), reader.reach)
    assert [address for address in reader.asked if "/Medication/" in address] == [
        f"{reader.server.base}/Medication/{HAS_A_MEDICATION_REFERENCE}-syringe"
    ]
    reader.asked.clear()
    included = replace(source, template=source.template + "&_include=MedicationRequest:medication")
    came_along = with_medications(reader.got(included), reader.reach)
    assert sorted(ids(came_along)) == sorted(ids(read))
    assert len(reader.asked) == 1


def test_a_resource_that_was_deleted_is_gone(reader: Reader, sources: dict[str, Source]) -> None:
    """410, and no longer among the matches; of a patient who is gone nothing is known."""
    person = {"resourceType": "Patient", "id": "merged", "gender": "female"}
    reader.server.put(person)
    merged = replace(reader, patient="merged")
    assert merged.got(sources["patient"]).resources[0]["gender"] == "female"
    reader.server.http.delete(f"{reader.server.base}/Patient/merged", timeout=30).raise_for_status()
    got = merged.got(sources["patient"])
    assert got.resources == ()
    assert got.gap is not None
    assert got.gap.reason == "the FHIR server answered with an error (HTTP 410)"
