"""Asking a FHIR server: which one, with what, for how long, how much."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.clients import Caller
from app.fhir_client import Deadline, FetchError, FhirClient, allowed, covers, is_below, is_loopback, next_page
from app.hook_request import FhirAccess
from tests.fake_ehr import FakeEhr, Reply, broken, bundle, failing, redirecting, saying, serving, zipped

CALLER = Caller(name="ehr", issuer="https://ehr.example", profile="p", timezone="UTC", budget_ms=1200)
OBSERVATION = {"resourceType": "Observation", "id": "o1"}


@pytest.fixture
def ehr() -> Iterator[FakeEhr]:
    with serving() as server:
        yield server


@pytest.fixture
def client() -> FhirClient:
    return FhirClient(max_bytes=50_000, connections=2)


def within(seconds: float) -> Deadline:
    return Deadline(clock=time.monotonic, at=time.monotonic() + seconds)


def reason(client: FhirClient, ehr: FakeEhr, address: str = "", seconds: float = 5) -> str:
    with pytest.raises(FetchError) as caught:
        client.get(FhirAccess(internal=True, server=ehr.base), address or f"{ehr.base}/Observation", within(seconds))
    assert ehr.base not in caught.value.reason
    return caught.value.reason


# One request


@pytest.mark.spec("FA-3")
def test_the_token_goes_with_the_request_and_nothing_of_the_environment(
    client: FhirClient, ehr: FakeEhr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client.get(FhirAccess(internal=True, server=ehr.base, token="opaque"), f"{ehr.base}/Observation", within(5))
    assert ehr.asked[0].headers["authorization"] == "Bearer opaque"
    assert ehr.asked[0].headers["accept"] == "application/fhir+json"


def test_an_open_server_is_asked_without_authorization(client: FhirClient, ehr: FakeEhr) -> None:
    client.get(FhirAccess(internal=True, server=ehr.base), f"{ehr.base}/Observation", within(5))
    assert "authorization" not in ehr.asked[0].headers


def test_a_compressed_answer_is_read(client: FhirClient, ehr: FakeEhr) -> None:
    ehr.on("Observation", zipped(bundle(OBSERVATION)))
    got = client.get(FhirAccess(internal=True, server=ehr.base), f"{ehr.base}/Observation", within(5))
    assert got["entry"][0]["resource"] == OBSERVATION


@pytest.mark.parametrize(("status", "words"), [(401, "refused access"), (403, "refused access"), (503, "HTTP 503")])
def test_a_refusal_is_told_in_words(client: FhirClient, ehr: FakeEhr, status: int, words: str) -> None:
    ehr.on("Observation", failing(status))
    assert words in reason(client, ehr)


DATE = "Tue, 10 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 120 "}, 120),
        ({"Date": DATE, "Retry-After": "Tue, 10 Mar 2026 12:00:30 GMT"}, 30),
        ({"Date": DATE, "Retry-After": "Tue, 10 Mar 2026 11:59:00 GMT"}, 0),
        ({"Retry-After": "Tue, 10 Mar 2026 12:00:30 GMT"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "1.5"}, 0),
        ({"Retry-After": "9" * 400}, 999_999_999),
        ({"Date": DATE, "Retry-After": "Tue, 10 Mar 99999 12:00:30 GMT"}, 0),
        ({}, 0),
    ],
)
def test_the_pause_that_a_server_asks_for_is_told(
    client: FhirClient, ehr: FakeEhr, status: int, headers: dict[str, str], seconds: float
) -> None:
    ehr.on("Observation", lambda _: Reply(b"{}", status, headers))
    with pytest.raises(FetchError) as caught:
        client.get(FhirAccess(internal=True, server=ehr.base), f"{ehr.base}/Observation", within(5))
    assert caught.value.retry_after == seconds


def test_a_pause_is_asked_for_by_servers_that_are_overloaded_only(client: FhirClient, ehr: FakeEhr) -> None:
    for status in (301, 401, 404, 500):
        ehr.on("Observation", lambda _, status=status: Reply(b"{}", status, {"Retry-After": "7"}))  # type: ignore[misc]
        with pytest.raises(FetchError) as caught:
            client.get(FhirAccess(internal=True, server=ehr.base), f"{ehr.base}/Observation", within(5))
        assert caught.value.retry_after == 0


@pytest.mark.spec("FA-9")
def test_a_redirect_is_not_followed(client: FhirClient, ehr: FakeEhr) -> None:
    with serving() as other:
        ehr.on("Observation", redirecting(f"{other.base}/Observation"))
        assert "redirect" in reason(client, ehr)
        assert other.asked == []
    ehr.on("Observation", redirecting(f"{ehr.base}/Condition"))
    assert "redirect" in reason(client, ehr)
    assert ehr.paths("Condition") == []


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"<html>", b"{"])
def test_an_answer_that_is_no_json_object_is_of_no_use(client: FhirClient, ehr: FakeEhr, body: bytes) -> None:
    ehr.on("Observation", lambda _: Reply(body))
    assert "could not be read" in reason(client, ehr)
    ehr.on("Observation", broken())
    assert "could not be read" in reason(client, ehr)


def test_an_answer_is_read_up_to_its_limit_compressed_or_not(client: FhirClient, ehr: FakeEhr) -> None:
    padded = {"resourceType": "Bundle", "x": "y" * 49_000}
    ehr.on("Observation", saying(padded))
    assert client.get(FhirAccess(internal=True, server=ehr.base), f"{ehr.base}/Observation", within(5)) == padded
    for answer in (saying({"x": "y" * 50_001}), zipped({"x": "y" * 5_000_000})):
        ehr.on("Observation", answer)
        assert "too long" in reason(client, ehr)


def test_a_server_that_hangs_is_left_at_the_deadline(client: FhirClient, ehr: FakeEhr) -> None:
    ehr.on("Observation", ehr.hanging(saying(bundle())))
    started = time.monotonic()
    assert "in time" in reason(client, ehr, seconds=0.1)
    assert time.monotonic() - started < 2


def test_after_the_deadline_nothing_is_asked(client: FhirClient, ehr: FakeEhr) -> None:
    assert "in time" in reason(client, ehr, seconds=0)
    assert ehr.asked == []


def test_a_server_that_is_not_there_is_told_apart_from_a_late_one(client: FhirClient) -> None:
    with serving() as gone:
        pass
    assert "could not be reached" in reason(client, gone)


def test_a_kept_connection_that_the_server_closed_is_opened_again(client: FhirClient, ehr: FakeEhr) -> None:
    ehr.on("Observation", lambda _: Reply(b"{}", headers={"X-Kept": "yes"}))
    access = FhirAccess(internal=True, server=ehr.base)
    client.get(access, f"{ehr.base}/Observation", within(5))

    def cut(_: object) -> Reply:
        if len(ehr.asked) == 2:
            raise ConnectionAbortedError
        return Reply(b'{"again": true}')

    ehr.on("Observation", cut)
    assert client.get(access, f"{ehr.base}/Observation", within(5)) == {"again": True}


def test_no_more_than_the_agreed_number_of_requests_run_at_a_time(client: FhirClient, ehr: FakeEhr) -> None:
    both, third = threading.Barrier(2, timeout=5), threading.Event()

    def meet(_: object) -> Reply:
        third.wait(0) or both.wait()
        return Reply(b"{}")

    ehr.on("Observation", meet)
    access = FhirAccess(internal=True, server=ehr.base)
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(client.get, access, f"{ehr.base}/Observation", within(5)) for _ in range(6)]
        assert [job.result() for job in jobs] == [{}] * 6
    assert ehr.most_at_once == 2


def test_an_address_on_another_server_is_not_asked(client: FhirClient, ehr: FakeEhr) -> None:
    with serving() as other:
        assert "another server" in reason(client, ehr, f"{other.base}/Observation")
        assert other.asked == []


# Which servers


@pytest.mark.spec("FA-9", "R-3")
@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ("https://ehr.example/r4", True),
        ("https://ehr.example/r4/", True),
        ("https://EHR.example:443/r4", True),
        ("https://ehr.example/r4/../admin", False),
        ("https://ehr.example/r5", False),
        ("https://ehr.example/r4/x", False),
        ("https://ehr.example/", False),
        ("http://ehr.example/r4", False),
        ("https://ehr.example:8443/r4", False),
        ("https://ehr.example.evil.example/r4", False),
        ("https://user@ehr.example/r4", False),
        ("https://ehr.example@evil.example/r4", False),
        ("https://evil.example\\@ehr.example/r4", False),
        ("https://ehr.example/r4?x=1", False),
        ("https://ehr.example/r4#x", False),
        ("https://ehr.example:notaport/r4", False),
        ("https://[ehr.example/r4", False),
        ("file:///etc/passwd", False),
        ("ehr.example/r4", False),
        ("https://169.254.169.254/r4", False),
        ("http://127.0.0.1/r4", False),
    ],
)
def test_only_the_base_urls_of_the_callers_entry_are_asked(given: str, listed: bool) -> None:
    caller = replace(CALLER, fhir_servers=("https://ehr.example/r4",))
    access = FhirAccess(server=given, token="t", scopes=())
    expected = replace(access, server="https://ehr.example/r4") if listed else None
    assert allowed(access, caller) == expected


@pytest.mark.spec("FA-6")
def test_without_token_only_servers_agreed_to_be_open_are_asked() -> None:
    caller = replace(
        CALLER, fhir_servers=("https://a.example", "https://b.example"), open_servers=("https://b.example",)
    )
    assert allowed(FhirAccess(server="https://a.example"), caller) is None
    assert allowed(FhirAccess(server="https://b.example"), caller) is not None


def test_an_authorization_that_is_of_no_use_means_no_asking_at_all() -> None:
    caller = replace(CALLER, fhir_servers=("https://b.example",), open_servers=("https://b.example",))
    assert allowed(FhirAccess(server="https://b.example", usable=False), caller) is None
    assert allowed(None, caller) is None


@pytest.mark.parametrize("server", ["http://127.0.0.1:8080/fhir", "http://localhost/x", "http://[::1]:80/fhir"])
def test_a_demo_asks_servers_on_this_machine_and_others_do_not(server: str) -> None:
    access = FhirAccess(server=server)
    assert allowed(access, replace(CALLER, any_loopback_server=True)) == replace(access, internal=True)
    assert allowed(access, CALLER) is None


@pytest.mark.parametrize(
    "server", ["http://10.0.0.1/fhir", "http://127.0.0.1.nip.example/", "http://0.0.0.0/", "http://host/"]
)
def test_a_demo_asks_no_server_elsewhere(server: str) -> None:
    assert allowed(FhirAccess(server=server), replace(CALLER, any_loopback_server=True)) is None


@pytest.mark.parametrize(
    ("host", "loopback"), [("localhost", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True)]
)
def test_loopback_hosts(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    assert not is_loopback(f"{host}.example")


@pytest.mark.parametrize(
    ("address", "below"),
    [
        ("https://e.example/r4?page=2", True),
        ("https://e.example/r4/?page=2", True),
        ("https://E.example:443/r4/Condition?page=2", True),
        ("https://e.example/r4/Condition?next=https://evil.example/..%2F", True),
        ("https://e.example/next?page=2", False),
        ("https://e.example/", False),
        ("https://e.example/r4b/Condition", False),
        ("https://e.example/r4/../admin", False),
        ("https://e.example/r4/%2e%2e/admin", False),
        ("https://e.example/r4/%252e%252e/admin", False),
        ("https://e.example/r4/.%2E/admin", False),
        ("https://e.example/r4/..;/admin", False),
        ("https://e.example/r4/..%2fadmin", False),
        ("https://e.example/r4/..%5cadmin", False),
        ("https://e.example/r4\\..\\admin", False),
        ("https://e.example//r4/x", False),
        ("https://e.example/r4//evil.example/x", False),
        ("https://e.example/r4/x#y", False),
        ("https://e.example/r4/x y", False),
        ("https://e.example/r4/x\r\nX-Injected: y", False),
        ("https://user:pw@e.example/r4/x", False),
        ("https://e.example@evil.example/r4/x", False),
        ("https://e.example.evil.example/r4/x", False),
        ("https://e.example:443.evil.example/r4/x", False),
        ("https://e.example:0/r4/x", False),
        ("https://e.example:99999/r4/x", False),
        ("https://[e.example]/r4/x", False),
        ("file:///r4/x", False),
        ("http://e.example/", False),
        ("https://e.example:444/", False),
        ("https://f.example/", False),
        ("//e.example/", False),
        ("", False),
    ],
)
def test_pages_are_at_or_below_the_base_url(address: str, below: bool) -> None:
    assert is_below("https://e.example/r4", address) is below


# Scopes


@pytest.mark.spec("FA-7")
@pytest.mark.parametrize(
    ("scope", "search", "read"),
    [
        ("patient/Observation.read", True, True),
        ("user/Observation.*", True, True),
        ("patient/*.read", True, True),
        ("system/*.*", True, True),
        ("patient/Observation.write", False, False),
        ("patient/Observation.rs", True, True),
        ("patient/Observation.cruds", True, True),
        ("patient/Observation.r", False, True),
        ("patient/Observation.s", True, False),
        ("patient/Observation.cud", False, False),
        ("patient/Observation.rs?category=laboratory", None, None),
        ("patient/Condition.rs", False, False),
        ("patient/observation.rs", False, False),
        ("launch openid fhirUser", False, False),
        ("", False, False),
        ("patient/Observation.rs?category=laboratory patient/Observation.rs", True, True),
    ],
)
def test_scopes_of_both_smart_versions_say_what_may_be_asked(
    scope: str, search: bool | None, read: bool | None
) -> None:
    access = FhirAccess(server="https://e.example", token="t", scopes=tuple(scope.split()))
    assert covers(access, "Observation", search=True) is search
    assert covers(access, "Observation", search=False) is read


def test_an_open_server_has_no_scopes_to_heed() -> None:
    assert covers(FhirAccess(server="https://e.example"), "Observation", search=True) is True


# Pages


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ([{"relation": "next", "url": "https://e.example/r4?page=2"}], "https://e.example/r4?page=2"),
        (
            [{"relation": "self", "url": "x"}, {"relation": "next", "url": "?page=2"}],
            "https://e.example/r4/Condition?page=2",
        ),
        ([{"relation": "previous", "url": "https://e.example/r4?page=1"}], None),
        ([None, 7, {"relation": "next"}, {"relation": "next", "url": 7}], None),
        ({"relation": "next", "url": "x"}, None),
        (None, None),
    ],
)
def test_the_next_page_is_the_link_of_that_name(link: object, expected: str | None) -> None:
    assert next_page({"link": link}, "https://e.example/r4/Condition?patient=1") == expected
