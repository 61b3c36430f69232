"""How many workers a machine gets: the cores that may be used, by affinity and by the limit of the container."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from app.cli import capacity, serve
from app.settings import Settings


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
        ("nonsense", 8),
        ("0 0", 8),
    ],
)
def test_the_limit_of_the_container_counts_in_version_2(tmp_path: Path, limit: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n", encoding="ascii")
    assert capacity.cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3), ("150000", 2)])
def test_and_in_version_1(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n", encoding="ascii")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert capacity.cores(tmp_path) == cores


def test_without_a_limit_the_cores_are_those_that_the_process_may_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert capacity.cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert capacity.cores(tmp_path) == 1


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 2), (6, 6), (200, 32)])
def test_each_core_gets_a_worker(cores: int, workers: int) -> None:
    assert capacity.workers(cores) == workers


def test_files_are_allowed_as_far_as_the_system_lets_us(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, both: limits.append(both))
    assert capacity.allow_files(1000) == 1000
    assert capacity.allow_files(100_000) == 4096
    assert capacity.allow_files(100) == 4096  # never fewer
    assert limits == [(256, 4096), (1000, 4096), (4096, 4096)]


def test_gunicorn_gets_what_is_set_and_what_suits_the_machine_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listener:
        def detach(self) -> int:
            return 7

    def options(**given: int) -> dict[str, object]:
        return serve._options(Listener(), Settings(demo=True, **given))  # type: ignore[arg-type]

    monkeypatch.setattr(capacity, "cores", lambda: 5)
    assert (options()["workers"], options()["threads"]) == (5, 16)
    assert options(workers=3)["workers"] == 3
    assert options(threads=9)["threads"] == 9


def test_a_call_waits_no_longer_than_it_may_take_and_a_demo_never_for_itself() -> None:
    limits = serve._limits(Settings(budget_ms=700, waiting=5))
    assert (limits.patience_seconds, limits.waiting) == (0.7, 5)
    assert b"GET /fhir/" not in limits.quick
    assert b"GET /fhir/" in serve._limits(Settings(demo=True)).quick
