"""A table of attacks on the proof of who calls, over a real socket: each gets the same 401, and a word in the log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.settings import Settings
from tests.app.service import Service, call, running
from tests.app.tls import certify
from tests.fake_ehr import FakeEhr, Reply, redirecting, saying, serving

PUBLIC = "https://cds.example"
SIGN = f"{PUBLIC}/cds-services/cat-order-sign"
ISSUER = "https://ehr.example"
EC_KEY, ROTATED, STRANGER = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


JWKS = {"keys": [jwk(EC_KEY, "ec"), jwk(RSA_KEY, "rsa")]}


@dataclass(frozen=True)
class Scene:
    """The service, the server of its client's keys, and a server that no token may have it call."""

    service: Service
    keys: FakeEhr
    stranger: FakeEhr

    def post(self, *authorization: str, **headers: str) -> tuple[int, dict[str, Any], str]:
        """Status, body without its correlation id, and challenge."""
        connection = http.client.HTTPConnection(urlsplit(self.service.url).netloc, timeout=10)
        body = orjson.dumps(call("order-sign"))
        connection.putrequest("POST", "/cds-services/cat-order-sign", skip_host="Host" in headers)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        for name, value in [*sent.items(), *(("Authorization", one) for one in authorization)]:
            connection.putheader(name, value.encode("utf-8"))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        if "id" in content:
            del content["id"]
        return answer.status, content, answer.headers.get("WWW-Authenticate", "")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certify(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@contextmanager
def playing(folder: Path, certificate: tuple[Path, ssl.SSLContext]) -> Iterator[Scene]:
    """Keys come from an https address of the clients file; ``stranger`` is where attackers point to."""
    ca_file, context = certificate
    with serving(context) as keys, serving(context) as stranger:
        keys.on("jwks", saying(JWKS))
        (folder / "clients.toml").write_text(
            f'[[client]]\nname = "north"\nissuer = "{ISSUER}"\njwks_url = "{keys.base}/jwks"\n'
            'tenants = ["a"]\ninternal_network = true\n'
            + "".join(
                f'[[client]]\nname = "{name}"\nissuer = "https://{name}.example"\njwks_url = "{keys.base}/{name}"\n'
                "internal_network = true\n"
                for name in BAD_SETS
            )
        )
        settings = Settings(
            clients_file=folder / "clients.toml",
            card_key="k" * 32,
            public_url=PUBLIC,
            ca_file=ca_file,
            state_dir=folder,
        )
        with running(settings) as service:
            yield Scene(service, keys, stranger)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, ssl.SSLContext]) -> Iterator[Scene]:
    with playing(tmp_path_factory.mktemp("scene"), certificate) as one:
        yield one


@pytest.fixture
def fresh(tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]) -> Iterator[Scene]:
    """A service that has asked for no keys yet."""
    with playing(tmp_path, certificate) as one:
        yield one


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    plain = {"iss": ISSUER, "aud": SIGN, "iat": now, "exp": now + 60, "jti": f"{time.monotonic_ns()}", "tenant": "a"}
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def signed(key: Any = EC_KEY, alg: str = "ES384", kid: str = "ec", **changes: Any) -> str:
    head = {"kid": kid, **changes.pop("head", {})}
    return jwt.encode(claims(**changes), key, algorithm=alg, headers=head)


def part(content: object) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(head: object, body: object, *, key: Any = EC_KEY) -> str:
    """A token with a header and claims of any kind, properly signed by ES384."""
    text = f"{part(head)}.{part(body)}"
    return f"{text}.{part(jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA384).sign(text.encode(), key))}"


HEAD = {"alg": "ES384", "typ": "JWT", "kid": "ec"}


def with_public_key_as_secret() -> str:
    secret = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{part({**HEAD, 'alg': 'HS256'})}.{part(claims())}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def twice(name: str, first: str, content: dict[str, Any]) -> bytes:
    return b'{"%s": "%s", ' % (name.encode(), first.encode()) + json.dumps(content).encode()[1:]


def any_body(content: bytes) -> Callable[[Any], Reply]:
    return lambda _: Reply(content)


BAD_SETS: dict[str, Callable[[Any], Reply]] = {
    "half-private": saying({"keys": [{**jwk(EC_KEY, "ec"), "d": "AAAA"}]}),
    "private": saying({"keys": [ECAlgorithm.to_jwk(EC_KEY, as_dict=True) | {"kid": "ec"}]}),
    "endless": saying({"keys": [jwk(EC_KEY, "ec")], "filler": "x" * 10_000_000}),
    "symmetric": saying({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "ec"}]}),
    "list": saying([jwk(EC_KEY, "ec")]),
    "page": any_body(b"<html>"),
    "empty": any_body(b""),
    "deep": any_body(b"[" * 900_000),
    "elsewhere": saying(JWKS, 203),
}
"""What a server of keys may answer, by the client whose keys these should be."""

NOW = time.time
ATTACKS: list[tuple[str, str, Callable[[], str]]] = [
    ("expired", "expired", lambda: signed(iat=NOW() - 120, exp=NOW() - 31)),
    ("issued in the future", "not-yet-valid", lambda: signed(iat=NOW() + 40, exp=NOW() + 60)),
    ("not valid before the future", "not-yet-valid", lambda: signed(nbf=NOW() + 40)),
    ("lives for a day", "life", lambda: signed(exp=NOW() + 86_400)),
    ("lives for ever", "claims", lambda: by_hand(HEAD, claims(exp=float("inf")))),
    ("number without end", "life", lambda: by_hand(HEAD, claims(exp=10**300))),
    ("number beyond all numbers", "claims", lambda: by_hand(HEAD, claims(exp=10**400))),
    ("no number", "claims", lambda: by_hand(HEAD, json.dumps(claims(exp=float("nan"))).encode())),
    ("audience: the base only", "audience", lambda: signed(aud=PUBLIC)),
    ("audience: discovery", "audience", lambda: signed(aud=f"{PUBLIC}/cds-services")),
    ("audience: another service", "audience", lambda: signed(aud=SIGN.replace("sign", "select"))),
    ("audience: feedback", "audience", lambda: signed(aud=f"{SIGN}/feedback")),
    ("audience: a longer host", "audience", lambda: signed(aud=SIGN.replace("cds.example", "cds.example.evil.test"))),
    ("audience: none of a list", "audience", lambda: signed(aud=[PUBLIC, "https://evil.test"])),
    ("audience: empty list", "audience", lambda: signed(aud=[])),
    ("unknown issuer", "unknown-issuer", lambda: signed(iss="https://evil.test")),
    ("issuer with a slash at the end", "unknown-issuer", lambda: signed(iss=f"{ISSUER}/")),
    ("no iss", "unknown-issuer", lambda: signed(iss=...)),
    *((f"no {name}", "claims", lambda name=name: signed(**{name: ...})) for name in ("aud", "exp", "iat", "jti")),
    ("jti of another kind", "claims", lambda: signed(jti=7)),
    ("jti without end", "claims", lambda: signed(jti="x" * 257)),
    ("jti that is no text", "claims", lambda: by_hand(HEAD, claims(jti="\ud800"))),
    ("no kid", "no-key-id", lambda: by_hand({"alg": "ES384", "typ": "JWT"}, claims())),
    ("unknown kid", "unknown-key-id", lambda: signed(kid="made-up")),
    ("kid as a path", "unknown-key-id", lambda: signed(kid="../../dev/null")),
    ("kid as a statement", "unknown-key-id", lambda: signed(kid="ec' OR '1'='1")),
    ("no typ", "type", lambda: by_hand({"alg": "ES384", "kid": "ec"}, claims())),
    ("token of another kind", "type", lambda: signed(head={"typ": "at+jwt"})),
    ("alg none", "algorithm", lambda: f"{part({**HEAD, 'alg': 'none'})}.{part(claims())}.AA"),
    ("alg None", "algorithm", lambda: f"{part({**HEAD, 'alg': 'None'})}.{part(claims())}.AA"),
    ("alg none, no signature", "malformed", lambda: f"{part({**HEAD, 'alg': 'none'})}.{part(claims())}."),
    ("empty signature", "malformed", lambda: signed().rpartition(".")[0] + "."),
    ("cut signature", "signature", lambda: signed()[:-10]),
    ("signature of zeros", "signature", lambda: f"{signed().rpartition('.')[0]}.{part(bytes(96))}"),
    ("HS256 with the public key as secret", "algorithm", with_public_key_as_secret),
    ("RS256 where 384 is agreed", "algorithm", lambda: signed(RSA_KEY, "RS256", "rsa")),
    ("RSA token, EC key", "no-fitting-key", lambda: signed(RSA_KEY, "RS384", "ec")),
    ("EC token, RSA key", "no-fitting-key", lambda: signed(kid="rsa")),
    ("signed by somebody else", "signature", lambda: signed(STRANGER)),
    ("own key in the header", "signature", lambda: signed(STRANGER, head={"jwk": jwk(STRANGER, "ec")})),
    ("critical extension", "extension", lambda: signed(head={"crit": ["exp"]})),
    ("payload not encoded", "extension", lambda: by_hand({**HEAD, "b64": False, "crit": ["b64"]}, claims())),
    ("payload not encoded, uncritically", "extension", lambda: by_hand({**HEAD, "b64": False}, claims())),
    ("claims changed", "signature", lambda: "{0}.{2}.{1}".format(*signed().split(".")[::2], part(claims()))),
    ("token in a token", "malformed", lambda: by_hand({**HEAD, "cty": "JWT"}, signed().encode())),
    ("encrypted token", "malformed", lambda: f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.AAAA.AAAA.AAAA.AAAA"),
    ("name twice in the header", "malformed", lambda: by_hand(twice("alg", "none", HEAD), claims())),
    ("name twice in the claims", "malformed", lambda: by_hand(HEAD, twice("aud", PUBLIC, claims()))),
    ("nested without end", "malformed", lambda: f"{part(b'[' * 9000)}.{part(claims())}.AAAA"),
    ("header is a list", "malformed", lambda: f"{part([1])}.{part(claims())}.AAAA"),
    ("garbage", "malformed", lambda: "!!!.???.***"),
    ("letters beyond ASCII", "malformed", lambda: "é.é.é"),
    ("padded base64", "malformed", lambda: f"{part(HEAD)}==.{part(claims())}.AAAA"),
    ("16 KB and more", "malformed", lambda: signed(filler="x" * 16_384)),
    ("tenant that is not listed", "tenant", lambda: signed(tenant="b")),
    ("no tenant where some are listed", "tenant", lambda: signed(tenant=...)),
    ("tenant of another kind", "tenant", lambda: signed(tenant=["a"])),
]  # fmt: skip

REFUSAL = (
    401,
    {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "login", "details": {"text": "Authentication is required."}}],
    },
    "Bearer",
)


@pytest.mark.spec("S-3", "S-4", "S-5", "S-7", "S-8", "S-9", "S-11", "S-13", "E-6")
@pytest.mark.parametrize(("attack", "cause", "token"), ATTACKS, ids=[attack for attack, _, _ in ATTACKS])
def test_what_an_attack_gets(scene: Scene, attack: str, cause: str, token: Callable[[], str]) -> None:
    got = scene.post(f"Bearer {token()}")
    log = scene.service.log[-1]
    assert got == REFUSAL, attack
    assert (log.status, log.cause, log.client) == (401, cause, "")
    assert scene.stranger.asked == []


def test_the_token_that_the_attacks_were_made_from_convinces(scene: Scene) -> None:
    for good in (
        signed(),
        signed(RSA_KEY, "RS384", "rsa"),
        signed(aud=[f"{SIGN}/", "https://evil.test"]),
        signed(head={"jku": f"{scene.keys.base}/jwks"}),
    ):
        assert scene.post(f"Bearer {good}")[0] == 200
    assert scene.post(f"bearer {signed()}")[0] == 200
    assert scene.post(f"BEARER   {signed()}")[0] == 200


@pytest.mark.parametrize(
    ("authorization", "cause"),
    [
        ([], "no-token"),
        ([""], "no-token"),
        (["Bearer"], "no-token"),
        (["Basic dTpw"], "no-token"),
        (["Bearer {0} {1}"], "malformed"),
        (["Bearer {0}", "Bearer {1}"], "malformed"),
        (["Basic dTpw", "Bearer {0}"], "no-token"),
        (["Bearer {0},"], "malformed"),
    ],
)
def test_no_header_or_one_that_is_unclear(scene: Scene, authorization: list[str], cause: str) -> None:
    assert scene.post(*(one.format(signed(), signed()) for one in authorization)) == REFUSAL
    assert scene.service.log[-1].cause == cause


@pytest.mark.spec("S-5")
def test_the_host_header_does_not_say_who_is_meant(scene: Scene) -> None:
    token = signed(aud="https://evil.test/cds-services/cat-order-sign")
    sent = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test;proto=https"}
    assert scene.post(f"Bearer {token}", **sent) == REFUSAL
    assert scene.service.log[-1].cause == "audience"


@pytest.mark.spec("S-12")
def test_a_token_is_good_once_and_its_signature_written_otherwise_is_no_other_token(scene: Scene) -> None:
    token = signed()
    assert scene.post(f"Bearer {token}")[0] == 200
    assert scene.post(f"Bearer {token}") == REFUSAL
    assert scene.service.log[-1].cause == "replayed"


def test_a_refused_token_is_not_used_up(scene: Scene) -> None:
    claimed = claims()
    assert scene.post(f"Bearer {by_hand(HEAD, claimed, key=STRANGER)}") == REFUSAL
    assert scene.post(f"Bearer {by_hand(HEAD, {**claimed, 'tenant': 'b'})}") == REFUSAL
    assert scene.post(f"Bearer {by_hand(HEAD, claimed)}")[0] == 200


# Keys


@pytest.mark.spec("S-6")
def test_a_foreign_jku_is_never_fetched(fresh: Scene) -> None:
    fresh.stranger.on("jwks", saying({"keys": [jwk(STRANGER, "ec")]}))
    for jku in (
        f"{fresh.stranger.base}/jwks",
        f"{fresh.keys.base}/jwks?x",
        f"{fresh.keys.base}/jwks/../../{fresh.stranger.base}",
        [f"{fresh.keys.base}/jwks"],
    ):
        assert fresh.post(f"Bearer {signed(STRANGER, head={'jku': jku})}") == REFUSAL
        assert fresh.service.log[-1].cause == "foreign-jku"
    assert fresh.stranger.asked == fresh.keys.asked == []


@pytest.mark.spec("S-10")
def test_made_up_key_ids_have_the_keys_read_once_more_and_a_rotated_key_works(fresh: Scene) -> None:
    assert fresh.post(f"Bearer {signed()}")[0] == 200
    assert len(fresh.keys.asked) == 1
    fresh.keys.on("jwks", saying({"keys": [jwk(ROTATED, "new")]}))
    assert fresh.post(f"Bearer {signed(ROTATED, kid='new')}")[0] == 200
    assert len(fresh.keys.asked) == 2
    for number in range(5):
        assert fresh.post(f"Bearer {signed(kid=f'made-up-{number}')}") == REFUSAL
    assert len(fresh.keys.asked) == 2
    assert fresh.post(f"Bearer {signed()}") == REFUSAL


def test_a_key_server_that_is_down_at_start_and_later(fresh: Scene) -> None:
    fresh.keys.on("jwks", saying({}, 503))
    assert fresh.post(f"Bearer {signed()}") == REFUSAL
    assert fresh.service.log[-1].cause == "unknown-key-id"
    assert len(fresh.keys.asked) == 1


@pytest.mark.parametrize("client", BAD_SETS)
def test_keys_that_are_not_taken(scene: Scene, client: str) -> None:
    scene.keys.on(client, BAD_SETS[client])
    assert scene.post(f"Bearer {signed(iss=f'https://{client}.example')}") == REFUSAL
    assert scene.keys.paths(client) == [f"/{client}"]


def test_a_client_cannot_sign_for_another(scene: Scene) -> None:
    scene.keys.on("private", saying({"keys": [jwk(STRANGER, "ec")]}))
    assert scene.post(f"Bearer {signed(STRANGER)}") == REFUSAL
    assert scene.service.log[-1].cause == "signature"


def test_a_redirected_key_set_is_not_followed(fresh: Scene) -> None:
    fresh.stranger.on("jwks", saying(JWKS))
    fresh.keys.on("jwks", redirecting(f"{fresh.stranger.base}/jwks"))
    assert fresh.post(f"Bearer {signed()}") == REFUSAL
    assert fresh.stranger.asked == []
