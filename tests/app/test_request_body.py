"""Bodies are taken apart only as far as somebody looks, and say the same as if all had been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequestError
from app.request_body import Prefetch, read_call, read_json

MEMBERS = ("hook", "hookInstance", "context", "fhirServer", "fhirAuthorization", "prefetch")
WHOLE = st.integers(-(2**63), 2**64 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from((*MEMBERS, "extension")), VALUES, max_size=7)
WRONG = (b"", b"\x00", b'"', b"}", b",", b"\xff", b"1e999", b"NaN", b"\\ud800", b"\\", b"[" * 2_000)


def all_of(body: bytes) -> object:
    """Every member looked at, those under prefetch too; or what the refusal says."""
    try:
        members = read_call(body)
        return {name: seen(value) for name, value in members.items()}
    except BadRequestError as refusal:
        return refusal.text


def seen(value: Any) -> Any:
    return dict(value.items()) if isinstance(value, Prefetch) else value


def parsed_at_once(body: bytes) -> object:
    try:
        return {name: value for name, value in read_json(body).items() if name in MEMBERS}
    except BadRequestError as refusal:
        return refusal.text


def prefetch_of(body: bytes) -> Mapping[str, Any]:
    return dict(read_call(body))["prefetch"]  # type: ignore[no-any-return]


@given(BODIES)
def test_a_body_says_the_same_as_if_it_had_been_parsed_at_once(body: dict[str, Any]) -> None:
    sent = orjson.dumps(body)
    told = all_of(sent)
    assert isinstance(told, dict)
    assert {name: value for name, value in told.items() if name in MEMBERS} == parsed_at_once(sent)


@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=6), st.data())
def test_a_broken_body_is_refused_as_if_it_had_been_parsed_at_once(body: dict[str, Any], data: st.DataObject) -> None:
    sent = orjson.dumps(body)
    at = data.draw(st.integers(0, len(sent)))
    broken = sent[:at] + data.draw(st.sampled_from(WRONG)) + sent[at + data.draw(st.integers(0, 2)) :]
    told = all_of(broken)
    if isinstance(told, dict):
        told = {name: value for name, value in told.items() if name in MEMBERS}
    at_once = parsed_at_once(broken)
    if isinstance(told, dict) and isinstance(at_once, str):  # JSON, with a number or an escape that nobody looks at
        at_once = {name: value for name, value in json.loads(broken).items() if name in MEMBERS}
    assert told == at_once


def test_what_nobody_looks_at_is_not_parsed() -> None:
    body = b'{"prefetch": {"conditions": {"entry": [1e999]}, "patient": {"id": "pt-1"}}}'
    prefetch = prefetch_of(body)
    assert list(prefetch) == ["conditions", "patient"]
    assert "conditions" in prefetch
    assert prefetch["patient"] == {"id": "pt-1"}
    with pytest.raises(BadRequestError) as caught:
        prefetch["conditions"]
    assert caught.value.expression == ("prefetch.conditions",)
    assert caught.value.diagnostics == "line 1, column 12 of it"


def test_what_is_looked_at_twice_is_parsed_once() -> None:
    prefetch = prefetch_of(b'{"prefetch": {"patient": {"id": "pt-1"}}}')
    assert prefetch["patient"] is prefetch["patient"]


def test_what_was_not_sent_is_not_there() -> None:
    prefetch = prefetch_of(b'{"prefetch": {}}')
    assert len(prefetch) == 0
    with pytest.raises(KeyError):
        prefetch["patient"]


@pytest.mark.parametrize("prefetch", [b"[]", b'"text"', b"3", b"null"])
def test_a_prefetch_that_is_no_object_is_left_to_whoever_checks_it(prefetch: bytes) -> None:
    assert prefetch_of(b'{"prefetch": ' + prefetch + b"}") == orjson.loads(prefetch)


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    prefetch = prefetch_of(b'{"prefetch": {"a": 1}, "prefetch": {"b": 1, "b": 2}}')
    assert dict(prefetch) == {"b": 2}


@pytest.mark.parametrize(
    "body", [b'{"prefetch": {"a": "\xff"}}', b'{"other": "\xc3("}', '{"hook": "é"}'.encode("latin-1")]
)
def test_what_is_no_utf_8_is_refused_wherever_it_stands(body: bytes) -> None:
    with pytest.raises(BadRequestError, match="not valid JSON"):
        read_call(body)
