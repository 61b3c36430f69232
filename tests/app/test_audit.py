"""The log: one JSON object per call, of the listed fields only, and never the words of an exception."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from app import audit
from app.audit import CallLog


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers, hook = logging.getLogger().handlers, threading.excepthook
    yield
    logging.getLogger().handlers, threading.excepthook = handlers, hook
    structlog.reset_defaults()


def test_a_call_is_one_json_line_without_empty_fields(capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("info")
    audit.write(CallLog(correlation_id="c", service="s", status=200, gaps=["height"], ms={"total": 1.5}))
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    del told["timestamp"]
    assert told == {
        "event": "call",
        "level": "info",
        "correlation_id": "c",
        "service": "s",
        "status": 200,
        "gaps": ["height"],
        "ms": {"total": 1.5},
    }


@pytest.mark.parametrize("mark", ["\n", "\r", "\u2028", "\x85", "\x0b", "\ud800"])
def test_a_text_with_line_breaks_cannot_forge_a_line(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("info")
    audit.write(CallLog(correlation_id="c", service="s", tenant=f'a{mark}{{"event": "call"}}'))
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["tenant"] == f'a{mark}{{"event": "call"}}'


def test_levels_below_the_one_set_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("error")
    audit.write(CallLog(correlation_id="c", service="s"))
    assert capsys.readouterr().err == ""


def test_a_field_that_is_not_listed_cannot_be_logged() -> None:
    with pytest.raises((TypeError, AttributeError)):
        CallLog(correlation_id="c", service="s", patient="x")  # type: ignore[call-arg]
    log = CallLog(correlation_id="c", service="s")
    with pytest.raises(AttributeError):
        log.patient = "x"  # type: ignore[attr-defined]


def test_of_an_exception_kind_and_place_are_told_and_no_words() -> None:
    with pytest.raises(ValueError, match="canary") as caught:
        int("canary")
    told = audit.unforeseen(caught.value)
    assert told.startswith("ValueError at ")
    assert __name__ in told
    assert "canary" not in told


def test_of_what_libraries_log_only_who_and_where_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("info")
    logging.getLogger("urllib3.connectionpool").warning("Failed at %s", "https://ehr.example/Patient/canary")
    logging.getLogger("urllib3.connectionpool").info("canary")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["event"] == "library"
    assert told["place"].startswith("urllib3.connectionpool:")
    assert "canary" not in line


def test_of_a_thread_that_breaks_kind_and_place_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("info")

    def fail() -> None:
        raise ValueError("canary")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"].startswith("ValueError at ")
    assert "canary" not in line
