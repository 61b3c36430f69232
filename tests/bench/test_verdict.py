"""The arithmetic of the benchmark: medians, ratio, limit, verdict; and its slow FHIR server."""

import threading

import pytest
import requests

from tests.bench.slow_fhir import SlowFhirServer
from tests.bench.verdict import Target, p95


def target(taken: list[float], *, times: float = 3, allowance: float = 2) -> Target:
    return Target(name="call", measure_name="bare", taken=taken, measure=[1, 2, 90], times=times, allowance=allowance)


@pytest.mark.parametrize(("taken", "met"), [([1, 8, 99], True), ([8, 8.1, 8.2], False)])
def test_medians_are_compared_and_on_the_line_is_met(taken: list[float], met: bool) -> None:
    assert target(taken).limit == 8
    assert target(taken).met is met


def test_the_ratio_leaves_the_allowance_out() -> None:
    assert target([8, 8]).ratio == 3
    assert target([80, 80], allowance=0).ratio == 40


def test_a_line_of_the_table() -> None:
    assert target([9, 9]).cells() == (
        "call", "9.0 ms", "9.0 ms", "2.0 ms", "3.50", "3 x bare + 2 ms = 8.0 ms", "NOT MET",
    )  # fmt: skip


def test_p95() -> None:
    assert p95([float(number) for number in range(101)]) == 95


def test_the_slow_server_answers_late_and_remembers_the_slowest() -> None:
    with SlowFhirServer({"Observation?code=a|b": {"resourceType": "Bundle"}}, wait=0.02) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        answer = requests.get(f"{server.url}/Observation", params={"code": "a|b"}, timeout=5)
        missing = requests.get(f"{server.url}/Patient/1", timeout=5)
        server.shutdown()
        thread.join()
    assert answer.json() == {"resourceType": "Bundle"}
    assert missing.status_code == 404
    assert server.unknown == {"/Patient/1"}
    assert server.slowest_since_last() >= 0.02
    assert server.slowest_since_last() == 0
