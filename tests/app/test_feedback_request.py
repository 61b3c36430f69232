"""The body of a feedback call: what is taken, and that everything wrong is named (rows F-2 to F-6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequestError
from app.feedback_request import MOST_NAMED, CardOutcome, parse

CARD = "4e0a3a1e-0000-4000-8000-000000000001"
AT = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
REASON = {"code": "specialist-advice", "system": "https://cds.example/override-reasons"}


def accepted(**changes: Any) -> dict[str, Any]:
    plain = {
        "card": CARD,
        "outcome": "accepted",
        "outcomeTimestamp": "2026-03-10T12:30:00Z",
        "acceptedSuggestions": [{"id": "s1"}],
        **changes,
    }
    return {name: value for name, value in plain.items() if value is not ...}


def overridden(**changes: Any) -> dict[str, Any]:
    return accepted(**{"outcome": "overridden", "acceptedSuggestions": ..., **changes})


def told(*entries: object) -> tuple[CardOutcome, ...]:
    return parse(orjson.dumps({"feedback": list(entries)}))


def named(*entries: object) -> tuple[str, ...]:
    with pytest.raises(BadRequestError) as caught:
        told(*entries)
    assert caught.value.status == 400
    return caught.value.expression


# What is taken


@pytest.mark.spec("F-4")
def test_an_acceptance_names_card_and_suggestions() -> None:
    [one] = told(accepted(acceptedSuggestions=[{"id": "s1"}, {"id": "s2"}]))
    assert one == CardOutcome(card=CARD, outcome="accepted", at=AT, suggestions=("s1", "s2"))


@pytest.mark.spec("F-5")
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (..., ("", "", "")),
        (None, ("", "", "")),
        ({"reason": REASON}, (REASON["code"], REASON["system"], "")),
        ({"reason": {**REASON, "display": "On specialist advice"}}, (REASON["code"], REASON["system"], "")),
        ({"userComment": "words"}, ("", "", "words")),
        ({"reason": REASON, "userComment": "words"}, (REASON["code"], REASON["system"], "words")),
        ({"reason": {"code": "c1", "system": "https://ehr.example/why"}}, ("c1", "https://ehr.example/why", "")),
    ],
)
def test_an_override_comes_with_a_reason_a_comment_both_or_neither(reason: Any, expected: tuple[str, ...]) -> None:
    [one] = told(overridden(overrideReason=reason))
    assert (one.reason_code, one.reason_system, one.comment) == expected


@pytest.mark.spec("F-3")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-10T12:30:00Z", AT),
        ("2026-03-10t12:30:00z", AT),
        ("2026-03-10T13:30:00+01:00", AT),
        ("2026-03-09T22:00:00-14:30", AT),
        ("2026-03-10T12:30:00-00:00", AT),
        ("2026-03-10T12:30:00.5Z", AT.replace(microsecond=500_000)),
        ("2026-03-10T12:30:00.123456789Z", AT.replace(microsecond=123_456)),
        ("2026-03-10T12:29:60Z", datetime(2026, 3, 10, 12, 29, 59, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_may_have_a_fraction_and_an_offset_and_is_kept_in_utc(text: str, moment: datetime) -> None:
    [one] = told(accepted(outcomeTimestamp=text))
    assert (one.at, one.at.tzinfo) == (moment, UTC)


@pytest.mark.spec("F-7")
def test_one_call_may_tell_of_many_cards_in_their_order_and_of_one_card_again() -> None:
    found = told(accepted(), overridden(card="another"), accepted())
    assert [one.card for one in found] == [CARD, "another", CARD]


@pytest.mark.spec("J-8")
def test_unknown_members_are_passed_over() -> None:
    assert told({**accepted(), "zzz": 1, "extension": {"org.example.x": {}}}) == told(accepted())


# What is refused


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"a": 1, "a": 2}', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(body)


@pytest.mark.spec("F-2")
@pytest.mark.parametrize("content", [{}, {"feedback": None}, {"feedback": {}}, {"feedback": "x"}, {"feedback": []}])
def test_feedback_is_a_list_with_something_in_it(content: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse(orjson.dumps(content))
    assert caught.value.expression == ("feedback",)


@pytest.mark.spec("F-3", "F-4", "F-5", "A-11")
@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (accepted(card=...), ["card"]),
        (accepted(card=""), ["card"]),
        (accepted(card=7), ["card"]),
        (accepted(outcome=...), ["outcome"]),
        (accepted(outcome="ignored"), ["outcome"]),
        (accepted(outcome="Accepted"), ["outcome"]),
        (accepted(outcomeTimestamp=...), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="2026-03-10"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="2026-03-10T12:30Z"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="2026-03-10T12:30:00"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="2026-02-30T12:30:00Z"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="2026-03-10T24:00:00Z"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="0001-01-01T00:00:00+01:00"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="9999-12-31T23:59:59-01:00"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp="٢٠٢٦-03-10T12:30:00Z"), ["outcomeTimestamp"]),
        (accepted(outcomeTimestamp=1_773_144_000), ["outcomeTimestamp"]),
        (accepted(acceptedSuggestions=...), ["acceptedSuggestions"]),
        (accepted(acceptedSuggestions=[]), ["acceptedSuggestions"]),
        (accepted(acceptedSuggestions={"id": "s1"}), ["acceptedSuggestions"]),
        (accepted(acceptedSuggestions=["s1"]), ["acceptedSuggestions[0]"]),
        (accepted(acceptedSuggestions=[{"id": "s1"}, {}]), ["acceptedSuggestions[1].id"]),
        (accepted(acceptedSuggestions=[{"id": ""}]), ["acceptedSuggestions[0].id"]),
        (overridden(overrideReason={}), ["overrideReason"]),
        (overridden(overrideReason="no"), ["overrideReason"]),
        (overridden(overrideReason={"reason": "no"}), ["overrideReason.reason"]),
        (overridden(overrideReason={"reason": {"system": "s"}}), ["overrideReason.reason.code"]),
        (overridden(overrideReason={"reason": {"code": "c"}}), ["overrideReason.reason.system"]),
        (overridden(overrideReason={"userComment": ""}), ["overrideReason.userComment"]),
        (overridden(overrideReason={"userComment": ["x"]}), ["overrideReason.userComment"]),
        ({}, ["card", "outcome", "outcomeTimestamp"]),
    ],
)
def test_what_is_missing_or_wrong_is_named(entry: dict[str, Any], fields: list[str]) -> None:
    assert named(entry) == tuple(f"feedback[0].{field}" for field in fields)


@pytest.mark.parametrize("entry", [None, 7, "x", []])
def test_an_entry_is_an_object(entry: object) -> None:
    assert named(accepted(), entry) == ("feedback[1]",)


@pytest.mark.spec("F-10")
def test_one_that_is_wrong_refuses_all_and_every_wrong_one_is_named() -> None:
    assert named(accepted(), accepted(card=...), overridden(outcome="x")) == ("feedback[1].card", "feedback[2].outcome")


def test_a_refusal_stays_short() -> None:
    assert len(named(*[{}] * 1000)) == MOST_NAMED


@pytest.mark.spec("F-11", "E-5")
def test_a_refusal_repeats_nothing_of_what_came() -> None:
    with pytest.raises(BadRequestError) as caught:
        told(overridden(outcome="canary", card="canary", overrideReason={"userComment": ["canary"]}))
    assert "canary" not in f"{caught.value} {caught.value.diagnostics} {caught.value.expression}"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_entry = st.dictionaries(
    st.sampled_from(["card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason"]),
    _json | st.sampled_from(["accepted", "overridden", "2026-03-10T12:30:00Z", [{"id": "s"}], {"reason": REASON}]),
)


@given(st.lists(_entry | _json, max_size=4))
def test_any_json_is_taken_or_refused_by_name_and_never_breaks(entries: list[Any]) -> None:
    try:
        found = told(*entries)
    except BadRequestError as refused:
        assert refused.expression
        assert all(one.startswith("feedback") for one in refused.expression)
    else:
        assert len(found) == len(entries)
