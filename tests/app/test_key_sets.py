"""The keys of the clients: kept, renewed behind the answer, rotated; never a way to hold up others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app import key_sets
from app.clients import Client
from app.key_sets import KeySets, keys_in, proof
from app.outbound import OutboundError

EC_KEY = ec.generate_private_key(ec.SECP384R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
CLIENT = Client(name="ehr", issuer="https://ehr.example", jwks_file="keys.json")
OTHER = Client(name="other", issuer="https://other.example", jwks_file="keys.json")


class KeyServer:
    """A JWK Set that can change and fail, and counts how often it is read."""

    def __init__(self, *kids: str) -> None:
        self.kids: tuple[str, ...] | None = kids
        self.reads = 0

    def __call__(self, _: Client, _seconds: float) -> bytes:
        self.reads += 1
        if self.kids is None:
            raise OSError
        return orjson.dumps({"keys": [{**PUBLIC, "kid": kid} for kid in self.kids]})


class Desk:
    """Key sets on a clock that the test turns, with a list of what was put off."""

    def __init__(self, read: Callable[[Client, float], bytes]) -> None:
        self.now = 0.0
        self.put_off: list[Callable[[], None]] = []
        self.keys = KeySets(clock=lambda: self.now, read=read, later=self.put_off.append)

    def kids(self, kid: str, client: Client = CLIENT) -> list[str]:
        return [key["kid"] for key in self.keys(client, kid)]


def test_keys_are_kept_and_renewed_behind_the_answer() -> None:
    server = KeyServer("a")
    desk = Desk(server)
    assert desk.kids("a") == ["a"]
    desk.now = key_sets.KEYS_LAST_SECONDS - 1
    assert desk.kids("a") == ["a"]
    assert (server.reads, desk.put_off) == (1, [])
    desk.now = key_sets.KEYS_LAST_SECONDS
    assert [desk.kids("a"), desk.kids("a")] == [["a"], ["a"]]
    assert (server.reads, len(desk.put_off)) == (1, 1)
    desk.put_off.pop()()
    assert server.reads == 2
    desk.kids("a")
    assert desk.put_off == []


def test_a_key_that_was_withdrawn_is_gone_after_the_next_renewal() -> None:
    server = KeyServer("a", "b")
    desk = Desk(server)
    desk.kids("a")
    server.kids, desk.now = ("b",), key_sets.KEYS_LAST_SECONDS
    desk.kids("a")
    desk.put_off.pop()()
    assert desk.kids("a") == []


@pytest.mark.spec("S-10")
def test_a_rotated_key_works_at_the_next_call() -> None:
    server = KeyServer("a")
    desk = Desk(server)
    desk.kids("a")
    server.kids = ("a", "b")
    assert desk.kids("b") == ["b"]
    assert server.reads == 2


@pytest.mark.spec("S-10")
def test_an_unknown_key_id_has_the_set_read_once_and_not_again_for_a_while() -> None:
    server = KeyServer("a")
    desk = Desk(server)
    desk.kids("a")
    assert [desk.kids(f"made-up-{n}") for n in range(5)] == [[]] * 5
    assert server.reads == 2
    desk.now = key_sets.REFETCH_AFTER_SECONDS
    desk.kids("made-up")
    assert server.reads == 3


def test_one_client_that_makes_up_key_ids_costs_another_nothing() -> None:
    server = KeyServer("a")
    desk = Desk(server)
    for n in range(5):
        desk.kids(f"made-up-{n}")
    assert desk.kids("a", OTHER) == ["a"]


def test_a_set_that_was_not_there_at_start_is_there_later() -> None:
    server = KeyServer("a")
    server.kids = None
    desk = Desk(server)
    assert [desk.kids("a"), desk.kids("a")] == [[], []]
    assert server.reads == 1
    server.kids, desk.now = ("a",), key_sets.RETRY_AFTER_SECONDS
    assert desk.kids("a") == ["a"]


def test_while_the_set_cannot_be_read_the_keys_at_hand_serve_for_a_day() -> None:
    server = KeyServer("a")
    desk = Desk(server)
    desk.kids("a")
    server.kids, desk.now = None, key_sets.KEYS_LAST_AT_MOST_SECONDS - 1
    assert desk.kids("a") == ["a"]
    desk.put_off.pop()()
    assert desk.kids("a") == ["a"]
    desk.now += 1
    assert desk.kids("a") == []


def test_a_key_server_that_hangs_holds_up_its_own_client_only() -> None:
    asked, released = threading.Event(), threading.Event()

    def read(client: Client, _seconds: float) -> bytes:
        if client is CLIENT:
            asked.set()
            released.wait(10)
        return orjson.dumps({"keys": [{**PUBLIC, "kid": "a"}]})

    desk = Desk(read)
    slow = threading.Thread(target=desk.kids, args=("a",))
    slow.start()
    assert asked.wait(10)
    assert desk.kids("a", OTHER) == ["a"]
    released.set()
    slow.join(10)
    assert desk.kids("a") == ["a"]


def test_a_call_waits_for_keys_no_longer_than_it_may_and_then_they_are_read_behind_the_answer() -> None:
    waits: list[float] = []

    def read(_client: Client, seconds: float) -> bytes:
        waits.append(seconds)
        if len(waits) == 1:
            raise OutboundError("late")
        return orjson.dumps({"keys": [{**PUBLIC, "kid": "a"}]})

    desk = Desk(read)
    quick = CLIENT.model_copy(update={"budget_ms": 800})
    assert desk.kids("a", quick) == []
    desk.put_off.pop()()
    assert waits == [pytest.approx(0.8 * key_sets.SHARE_OF_BUDGET), key_sets.FETCH_TIMEOUT_SECONDS]
    assert desk.kids("a", quick) == ["a"]
    assert len(waits) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b'{"keys": 7}', b'{"keys": [7]}', b'{"keys": []}'])
def test_a_set_that_is_none_gives_no_keys(content: bytes) -> None:
    assert Desk(lambda *_: content).kids("a") == []


def test_what_is_no_set_does_not_replace_one() -> None:
    content = [orjson.dumps({"keys": [{**PUBLIC, "kid": "a"}]})]
    desk = Desk(lambda *_: content[0])
    desk.kids("a")
    content[0], desk.now = b"<html>maintenance</html>", key_sets.KEYS_LAST_SECONDS
    desk.kids("a")
    desk.put_off.pop()()
    assert desk.kids("a") == ["a"]


def test_a_set_is_read_from_the_file_of_the_client(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [PUBLIC]}))
    client = CLIENT.model_copy(update={"jwks_file": str(file)})
    assert keys_in(key_sets.reader(None, lambda: 0.0)(client, 2.0)) == (PUBLIC,)  # type: ignore[arg-type]


# What a key must be


def rsa_jwk(**more: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), **more}


@pytest.mark.spec("S-9")
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (PUBLIC, "ES384"),
        ({**PUBLIC, "use": "sig", "alg": "ES384", "key_ops": ["verify"]}, "ES384"),
        (rsa_jwk(key_ops=["verify"]), "RS384"),
        (rsa_jwk(), "PS384"),
    ],
)
def test_a_key_that_fits_its_algorithm_proves(key: dict[str, Any], algorithm: str) -> None:
    assert proof(key, algorithm) is not None


@pytest.mark.spec("S-9")
@pytest.mark.parametrize(
    ("why", "key", "algorithm"),
    [
        ("private", ECAlgorithm.to_jwk(EC_KEY, as_dict=True), "ES384"),
        ("private", RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "RS384"),
        ("for encryption", {**PUBLIC, "use": "enc"}, "ES384"),
        ("for signing only", {**PUBLIC, "key_ops": ["sign"]}, "ES384"),
        ("operations of another kind", {**PUBLIC, "key_ops": "verify"}, "ES384"),
        ("for another algorithm", {**PUBLIC, "alg": "ES512"}, "ES384"),
        ("another curve", PUBLIC, "ES256"),
        ("another kind", PUBLIC, "RS384"),
        ("another kind", rsa_jwk(), "ES384"),
        ("symmetric", {"kty": "oct", "k": "c2VjcmV0"}, "RS384"),
        ("point not on the curve", {**PUBLIC, "x": PUBLIC["y"]}, "ES384"),
        ("half a key", {"kty": "EC", "crv": "P-384"}, "ES384"),
        ("numbers for text", {**PUBLIC, "x": 7}, "ES384"),
        ("exchange curve", {"kty": "OKP", "crv": "X25519", "x": "AAAA"}, "EdDSA"),
    ],
)
def test_a_key_that_does_not_fit_proves_nothing(why: str, key: dict[str, Any], algorithm: str) -> None:
    assert proof(key, algorithm) is None, why
