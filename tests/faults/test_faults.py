"""What a caller gets while things around the service break: in time, the right card or status, and soon as usual again.

Each row plays a fault through the whole service over real sockets. The same rows, more often, make docs/faults.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app.breaker import FAILURES
from tests.app.service import PATIENT_ID
from tests.faults.fault import happens
from tests.faults.report import DOCUMENT, document, without_counts
from tests.faults.sites import Sites, all_sites
from tests.faults.table import GROUPS, table

pytestmark = pytest.mark.xdist_group("faults")

NAMES = [str(fault) for fault in table(None)]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    with all_sites() as some:
        yield some


@pytest.mark.parametrize("name", NAMES)
def test_the_caller_gets_what_the_row_says(sites: Sites, name: str) -> None:
    fault = next(one for one in table(sites) if str(one) == name)
    assert happens(fault, 1 if fault.alone_after == FAILURES else 1 + fault.alone_after).wrong == ()


@pytest.mark.parametrize("name", ["FHIR server: 500", "FHIR server: is not there (connection refused)"])
def test_a_server_that_keeps_failing_is_left_alone_and_comes_back_by_itself(sites: Sites, name: str) -> None:
    fault = next(one for one in table(sites) if str(one) == name)
    with capture_logs() as log:
        result = happens(fault, FAILURES + 3)
    assert result.wrong == ()
    assert result.kinds[fault.gets] == FAILURES
    assert result.kinds[fault.alone.format(5)] == 3
    assert result.sent == FAILURES * (fault.asks or 0)
    events = [(one["event"], one["client"]) for one in log if "FHIR server" in one["event"]]
    assert events == [("FHIR server left alone", "demo"), ("FHIR server answers again", "demo")]
    assert PATIENT_ID not in str(log)


def test_what_is_left_alone_is_counted_and_stands_in_the_log_of_the_call(sites: Sites) -> None:
    service, _ = sites.demo()
    before = _metric(service.get("/metrics").text, 'cat_cds_circuit_changes_total{change="opened",client="demo"}')
    not_asked = _metric(service.get("/metrics").text, 'cat_cds_fetch_failures_total{reason="not-asked"}')
    fault = next(one for one in table(sites) if str(one) == "FHIR server: 500")
    happens(fault, FAILURES + 1)
    text = service.get("/metrics").text
    assert _metric(text, 'cat_cds_circuit_changes_total{change="opened",client="demo"}') == before + 1
    assert _metric(text, 'cat_cds_fetch_failures_total{reason="not-asked"}') == not_asked + 10
    assert "fhir-server-left-alone" in service.log[-2].warnings
    assert "fhir-server-left-alone" not in service.log[-1].warnings


def _metric(text: str, name: str) -> float:
    return float(next((line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name)), 0))


def test_rows_have_names_of_their_own_and_every_group_is_there() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {fault.group for fault in table(None)} == set(GROUPS)


def test_the_page_of_faults_holds_every_row() -> None:
    assert without_counts(DOCUMENT.read_text(encoding="utf-8")) == without_counts(document([]))
