"""Bodies that are hardly JSON, or hardly HTTP, over a real socket: each is refused or read, and never a failure."""

from __future__ import annotations

import codecs
import gzip
import json
import random
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.settings import Settings
from tests.app.cli.worker import Running, serving
from tests.app.cli.worker import answer as answer_to
from tests.app.service import APIXABAN, PERSON, Service, call, record, running
from tests.cds_hooks_validator import operation_outcome_faults
from tests.fuzz.effort import EXAMPLES, Tried, seeds

Json = dict[str, Any]
ADDRESS = "/cds-services/cat-order-sign"
RIGHT = call("order-sign")
TEXT = json.dumps(RIGHT)
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(Settings(demo=True)) as one:
        yield one


def sent(service: Service, body: Any, **headers: str | None) -> int:
    """The status of the answer to a body, once a refusal is known to be a proper OperationOutcome."""
    given_ = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = service.http.post(service.url + ADDRESS, data=body, headers=given_, timeout=10)
    if answer.status_code != 200:
        assert operation_outcome_faults(answer.json()) == []
    return answer.status_code


def holding(extra: str, *path: str) -> bytes:
    """A right request in which ``path`` holds ``extra`` as it is."""
    body: Json = json.loads(TEXT)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "@@"
    return json.dumps(body).replace('"@@"', extra).encode()


def nested(depth: int, opening: str = "[", closing: str = "]", core: str = "") -> str:
    return opening * depth + core + closing * depth


ENCODINGS: list[tuple[str, bytes, int]] = [
    ("UTF-8", TEXT.encode(), 200),
    ("byte order mark", codecs.BOM_UTF8 + TEXT.encode(), 400),
    ("UTF-16", TEXT.encode("utf-16"), 400),
    ("UTF-16 without mark", TEXT.encode("utf-16-le"), 400),
    ("UTF-32", TEXT.encode("utf-32"), 400),
    ("Latin-1", holding('"Bücher"', "zzz").decode().encode("latin-1"), 400),
    ("overlong", holding('"\xc0\xaf"', "zzz").replace(b"\xc3\x80\xc2\xaf", b"\xc0\xaf"), 400),
    ("raw surrogate", holding('"@"', "zzz").replace(b'"@"', b'"\xed\xa0\x80"'), 400),
    ("gzip undeclared", gzip.compress(TEXT.encode()), 400),
    ("NUL before", b"\0" + TEXT.encode(), 400),
    ("NUL after", TEXT.encode() + b"\0", 400),
    ("two values", TEXT.encode() * 2, 400),
    ("nothing but spaces", b" " * 1000, 400),
    ("a bomb of quotes", b'"' * 100_001, 400),
    ("half", TEXT.encode()[: len(TEXT) // 2], 400),
    ("lines of JSON", (TEXT + "\n" + TEXT).encode(), 400),
]

VALUES: list[tuple[str, bytes, set[int]]] = [
    *(
        (f"{word}", holding(word, "zzz"), {400})
        for word in ("NaN", "Infinity", "-Infinity", "undefined", "0x1", "01", "1.")
    ),
    *((f"{word}", holding(word, "zzz"), {200, 400}) for word in ("1e999", "-1e999", "1e-999", "9" * 400, "9" * 5_000)),
    ("escaped surrogate", holding('"\\ud800"', "zzz"), {200, 400}),
    ("escaped surrogate as name of a patient", holding('"\\ud800"', "prefetch", "patient", "gender"), {200, 400}),
    ("escaped NUL", holding('"\\u0000"', "prefetch", "patient", "gender"), {200}),
    ("name twice", holding('1, "hook": "order-sign"', "zzz"), {200}),
    ("a million spaces", holding(" " * 1_000_000 + "1", "zzz"), {200}),
    *(
        (f"{depth} deep in {'.'.join(path)}", holding(nested(depth), *path), {200, 400, 412})
        for depth in (200, 1_000, 1_030, 5_000, 100_000)
        for path in (("zzz",), ("prefetch", "patient", "name"), ("prefetch", "conditions"), ("context", "draftOrders"))
    ),
    *(
        (f"{depth} objects deep", holding(nested(depth, '{"a":', "}", "1"), "prefetch", "weight"), {200, 400})
        for depth in (200, 1_030, 5_000)
    ),
]


@pytest.mark.parametrize(("encoding", "body", "status"), ENCODINGS, ids=[one[0] for one in ENCODINGS])
def test_only_utf8_is_read(service: Service, encoding: str, body: bytes, status: int, record_property: Record) -> None:
    assert sent(service, body) == status, encoding
    record_property("fuzz", {status: 1})


@pytest.mark.parametrize(("value", "body", "statuses"), VALUES, ids=[one[0][:40] for one in VALUES])
def test_odd_values_are_read_or_refused(
    service: Service, value: str, body: bytes, statuses: set[int], record_property: Record
) -> None:
    status = sent(service, body)
    assert status in statuses, value
    record_property("fuzz", {status: 1})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x", "identity, gzip"])
def test_compressed_bodies_are_not_unpacked(service: Service, encoding: str, record_property: Record) -> None:
    packed = zlib.compress(TEXT.encode()) if encoding == "deflate" else gzip.compress(TEXT.encode() * 1_000)
    assert sent(service, packed, Content_Encoding=encoding) == 415
    record_property("fuzz", {415: 1})


@pytest.mark.parametrize("length", [9_999_000, 10_001_000, 30_000_000])
@pytest.mark.parametrize("kind", ["spaces", "one text", "small numbers", "brackets"])
def test_long_bodies(service: Service, length: int, kind: str, record_property: Record) -> None:
    room = length - len(TEXT) - 20
    filler = {
        "spaces": " " * room + "1",
        "one text": f'"{"x" * room}"',
        "small numbers": f"[{'1,' * (room // 2)}1]",
        "brackets": "[" * room,
    }[kind]
    status = sent(service, holding(filler, "zzz"))
    assert status == (413 if length > 10_000_000 else 400 if kind == "brackets" else 200)
    record_property("fuzz", {status: 1})


@pytest.mark.parametrize("where", ["person", "draft"])
def test_a_long_text_in_a_resource(service: Service, where: str, record_property: Record) -> None:
    text = "x]( <b> `|` " * 700_000
    body = RIGHT
    if where == "person":
        body = call("order-sign", prefetch={**record(), "patient": PERSON | {"name": [{"text": text}]}})
    else:
        named = APIXABAN["medicationCodeableConcept"] | {"text": text}
        body = call("order-sign", APIXABAN | {"medicationCodeableConcept": named})
    status = sent(service, json.dumps(body).encode())
    assert status == 200
    record_property("fuzz", {status: 1})


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_body_in_pieces(service: Service, size: int, record_property: Record) -> None:
    body = TEXT.encode()[: None if size > 1 else 0] or b'{"hook": 1}'
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    status = sent(service, pieces)
    assert status == (200 if size > 1 else 400)
    record_property("fuzz", {status: 1})


NOT_IMPLEMENTED = {"encoding of another kind": 501}
"""What HTTP asks a server to say to an encoding of the transfer that it does not know (RFC 9112, 6.1)."""

ALIVE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PIECES = b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN_HTTP: list[tuple[str, bytes]] = [
    ("length of another kind", b"Content-Length: many\r\n\r\n{}"),
    ("negative length", b"Content-Length: -1\r\n\r\n{}"),
    ("length beyond all numbers", b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}"),
    ("no length", b"\r\n{}"),
    ("two lengths", b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}"),
    ("length and pieces", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("piece of no size", PIECES + b"zz\r\n{}\r\n0\r\n\r\n"),
    ("negative piece", PIECES + b"-2\r\n{}\r\n0\r\n\r\n"),
    ("piece without end", PIECES + b"2\r\n{}xx0\r\n\r\n"),
    ("pieces that stop", PIECES + b"ff\r\n{"),
    ("body that stops", b"Content-Length: 500\r\n\r\n{"),
    ("huge piece", PIECES + b"f" * 30 + b"\r\n{}\r\n0\r\n\r\n"),
    ("encoding of another kind", b"Transfer-Encoding: x\r\nContent-Length: 2\r\n\r\n{}"),
    ("expects to go on", b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"),
    ("charset of another kind", b"Content-Type: application/json; charset=\x00\xff\r\nContent-Length: 2\r\n\r\n{}"),
]


@pytest.fixture(scope="module")
def worker(service: Service) -> Iterator[Running]:
    """The service under the server that hospitals run: what is hardly HTTP never gets further than that."""
    with serving(service.app) as one:
        yield one


@pytest.mark.parametrize(("name", "rest"), BROKEN_HTTP, ids=[one[0] for one in BROKEN_HTTP])
def test_broken_http_is_refused_or_dropped(worker: Running, name: str, rest: bytes, record_property: Record) -> None:
    head = f"POST {ADDRESS} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n".encode()
    typed = b"" if b"Content-Type" in rest else b"Content-Type: application/json\r\n"
    line = worker.connect(head + typed + rest)
    line.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := line.recv(65_536):
        answer += piece
    statuses = [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert all(status < 500 or status == NOT_IMPLEMENTED.get(name) for status in statuses), name
    assert answer_to(worker.connect(ALIVE))[0] == 200
    record_property("fuzz", dict.fromkeys(statuses[-1:], 1))


def test_any_bytes(service: Service, record_property: Record) -> None:
    tried = Tried()
    for seed in seeds(300, 0.1):
        chance = random.Random(f"bytes-{seed}")
        body = bytearray(TEXT.encode())
        for _ in range(chance.choice((1, 2, 10, 200))):
            at = chance.randrange(len(body))
            body[at : at + chance.choice((0, 1, 5))] = chance.randbytes(chance.choice((0, 1, 3)))
        status = sent(service, bytes(body))
        tried.count(status)
        assert status in (200, 400, 412), seed
    record_property("fuzz", dict(tried.statuses))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=10), some, max_size=4),
    max_leaves=12,
)
names = ("hook", "hookInstance", "fhirServer", "fhirAuthorization", "context", "prefetch")


def test_any_shape_of_a_request(service: Service, record_property: Record) -> None:
    tried = Tried()

    @given(
        changes=st.dictionaries(st.sampled_from(names), values),
        inner=st.dictionaries(
            st.sampled_from(("userId", "patientId", "encounterId", "selections", "draftOrders")), values
        ),
    )
    @example(changes={}, inner={})
    @settings(max_examples=EXAMPLES * 15, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    def attempt(changes: Json, inner: Json) -> None:
        body = {**RIGHT, "context": RIGHT["context"] | inner} | changes
        status = sent(service, json.dumps(body).encode())
        tried.count(status)
        assert status in (200, 400, 412)

    attempt()
    record_property("fuzz", dict(tried.statuses))
