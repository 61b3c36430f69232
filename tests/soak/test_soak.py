"""The verdict of a soak can be "missed", for each of its criteria; and a short soak works from start to end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.soak.kinds import Cards, Kind, Request, answered
from tests.soak.load import Load, Tally
from tests.soak.page import markdown, show
from tests.soak.run import Soak, soak
from tests.soak.verdict import Finding, of_answers, of_processes
from tests.soak.watch import Sample

MB = 1_000_000
MASTER, WORKER = 100, 200


def series(change: Callable[[Sample], Sample] = lambda one: one, *, number: int = 90) -> list[Sample]:
    """Samples of two processes that fill their caches in the first third and then are as flat as real ones."""
    samples = []
    for at in range(number):
        warming = min(1.0, at / (number / 3))
        wobble = (at * 7 % 5) * MB // 10
        for pid, size in ((MASTER, 50), (WORKER, 60)):
            pss = int(size * MB * (0.8 + 0.2 * warming)) + wobble
            one = Sample(at=at, pid=pid, pss=pss, rss=pss + 60 * MB, descriptors=30 + at % 3, threads=16)
            samples.append(change(one) if pid == WORKER else one)
    return samples


def missed(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if not finding.met]


def test_memory_that_is_flat_after_a_warm_up_will_do() -> None:
    assert missed(of_processes(series())) == []


def test_a_leak_is_found() -> None:
    """100 kB in each of 90 samples: 3 MB from one third to the next."""
    leaking = series(lambda one: replace(one, pss=one.pss + int(one.at * MB / 10)))
    assert missed(of_processes(leaking)) == ["memory of worker 1"]
    faster = series(lambda one: replace(one, pss=one.pss + int(one.at * MB / 5)))
    assert missed(of_processes(faster)) == ["memory of worker 1", "memory of all together"]


def test_a_peak_that_passes_is_no_leak() -> None:
    peak = series(lambda one: replace(one, pss=one.pss + (200 * MB if one.at in (70, 75) else 0)))
    assert missed(of_processes(peak)) == []


@pytest.mark.parametrize("what", ["descriptors", "threads"])
def test_what_is_kept_open_is_found(what: str) -> None:
    kept = series(lambda one: replace(one, **{what: getattr(one, what) + int(one.at / 6)}))
    assert missed(of_processes(kept)) == [f"{what} of worker 1"]


def test_a_worker_that_was_replaced_is_found() -> None:
    died = series(lambda one: replace(one, pid=300) if one.at > 50 else one)
    (what, *_), (found, *_) = zip(*((one.what, one.found) for one in of_processes(died) if not one.met), strict=True)
    assert what == "processes that came or went"
    assert found == "worker 1, later process 300"


def test_a_run_that_is_too_short_is_not_judged() -> None:
    with pytest.raises(ValueError, match="11 samples are too few"):
        of_processes(series(number=11))


def test_one_wrong_answer_is_one_too_many() -> None:
    right = Tally(times=[(0.0, 1.0)] * 1000)
    assert missed(of_answers({"a": right})) == []
    wrong = Tally(times=[(0.0, 1.0)] * 1000, errors=Counter({"status 500": 1}))
    assert missed(of_answers({"a": right, "b": wrong})) == ["answers other than expected"]
    assert missed(of_answers({"a": right, "never": Tally()})) == ["kinds never sent"]
    assert missed(of_answers({"never": Tally()})) == ["answers other than expected", "kinds never sent"]


CARD = b'{"cards":[{"extension":{"cat-cds":{"rules":["a"]}},"summary":"%s"}]}'


def test_other_cards_or_other_words_are_wrong_answers() -> None:
    check = Cards({"a"})
    assert check(200, CARD % b"one") == ""
    assert check(200, CARD % b"one") == ""
    assert check(200, CARD % b"two") == "other words than the first time"
    assert check(200, b'{"cards":[]}') == "cards []"
    assert check(503, b"") == "status 503"


def test_an_ehr_that_fails_may_cost_data_but_gives_no_all_clear() -> None:
    check = Cards({"a"}, at_worst=True)
    assert check(200, CARD % b"one") == ""
    assert check(200, (CARD % b"one").replace(b'"a"', b'"data-not-usable"')) == ""
    assert check(412, b'{"resourceType":"OperationOutcome"}') == ""
    assert check(200, b'{"cards":[]}') == "cards []"
    assert check(200, (CARD % b"one").replace(b'"a"', b'"b"')) == "cards ['b']"
    assert check(500, b"") == "status 500"


@pytest.fixture
def stubborn() -> Iterator[str]:
    """A server that answers 200 to /right, 500 to /wrong, and breaks off at /gone."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/gone":
                self.close_connection = True
                return
            self.send_response(200 if self.path == "/right" else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_load_counts_each_answer_that_is_not_the_expected_one(stubborn: str) -> None:
    def kind(name: str, weight: int) -> Kind:
        asking = Request(method="GET", path=f"/{name}")
        return Kind(name=name, weight=weight, request=lambda: asking, check=answered(200))

    load = Load(url=stubborn, kinds=[kind("right", 8), kind("wrong", 1), kind("gone", 1)], rate=200)
    load.run(0.5)
    assert {name: len(tally.times) for name, tally in load.tallies.items()} == {"right": 80, "wrong": 10, "gone": 10}
    assert load.tallies["right"].errors == {}
    assert load.tallies["wrong"].errors == {"status 500": 10}
    assert load.tallies["gone"].errors == {"no answer: ProtocolError": 10}
    assert {due for tally in load.tallies.values() for due, _ in tally.times} == {at / 200 for at in range(100)}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    return soak(tmp_path_factory.mktemp("soak"), seconds=12, rate=12, patient=True)


def test_a_short_soak_has_no_error(short: Soak) -> None:
    """Its memory proves nothing yet: that is the first minutes' business."""
    grows = ("memory", "descriptors", "threads")
    assert [one for one in short.findings if not one.met and not one.what.startswith(grows)] == [], {
        name: tally.errors for name, tally in short.tallies.items() if tally.errors
    }
    assert sum(len(tally.times) for tally in short.tallies.values()) == 144
    assert len({one.pid for one in short.samples}) == 3
    assert min(one.pss for one in short.samples) > 5 * MB
    assert short.store_bytes[-1][1] > 0


def test_its_page_tells_every_kind_and_every_criterion(short: Soak, capsys: pytest.CaptureFixture[str]) -> None:
    page = markdown(short, 1_800_000_000)
    assert all(f"| {name} |" in page for name in short.tallies)
    assert all(f"| {finding.what} | {finding.found} |" in page for finding in short.findings)
    assert "0.2 minutes on 2027-01-15, 12 requests a second" in page
    assert "MISSED" in markdown(replace(short, findings=[Finding(what="a", found="b", met=False)]), 0)
    show(short)
    assert "criterion" in capsys.readouterr().out


def test_a_soak_whose_service_answers_otherwise_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run, but another rule is expected of one kind."""
    monkeypatch.setattr("tests.soak.kinds.DOAC", {"another-rule"})
    came = soak(tmp_path, seconds=6, rate=12, patient=True)
    assert not came.is_well
    assert "answers other than expected" in missed(list(came.findings))
    wrong = {name for name, tally in came.tallies.items() if tally.errors}
    assert wrong
    assert all("apixaban" in name for name in wrong)
