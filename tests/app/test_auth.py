"""Who calls: a table of tokens. Every one that does not convince gets the same answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app import auth
from app.auth import Verify, with_clients
from app.clients import Client
from app.errors import NotAuthenticatedError, UnavailableError
from app.settings import Settings
from app.store.database import StoreDownError

NOW = 1_800_000_000.0
ISSUER = "https://ehr.example"
URL = "https://cds.example/cds-services/cat-patient-view"

EC_KEY = ec.generate_private_key(ec.SECP384R1())
OTHER_EC_KEY = ec.generate_private_key(ec.SECP384R1())
P256_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is to be refused


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


KEYS = [
    jwk(EC_KEY, "ec", use="sig", alg="ES384"),
    jwk(RSA_KEY, "rsa"),
    jwk(WEAK_RSA_KEY, "weak"),
    jwk(P256_KEY, "p256"),
    jwk(EC_KEY, "for-encryption", use="enc"),
    jwk(EC_KEY, "for-another-algorithm", alg="ES512"),
]
CLIENT = Client(name="ehr", issuer=ISSUER, jwks_file="keys.json", jku=["https://ehr.example/jwks"])


def claims(**changes: Any) -> dict[str, Any]:
    plain = {"iss": ISSUER, "aud": URL, "iat": NOW, "exp": NOW + 300, "jti": "j1", **changes}
    return {name: value for name, value in plain.items() if value is not ...}


def token(key: PrivateKeyTypes | str = EC_KEY, alg: str = "ES384", kid: str | None = "ec", **changes: Any) -> str:
    header = {name: value for name, value in {"kid": kid, **changes.pop("header", {})}.items() if value is not None}
    return jwt.encode(claims(**changes), key, algorithm=alg, headers=header)  # type: ignore[arg-type]


class Seen:
    """Tokens seen so far; a store that is down when told so."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.tokens: set[tuple[str, str]] = set()

    def __call__(self, issuer: str, jti: str, _expires: float) -> bool:
        if self.down:
            raise StoreDownError
        known = (issuer, jti) in self.tokens
        self.tokens.add((issuer, jti))
        return known


def verifier(*clients: Client, now: float = NOW, seen: Seen | None = None) -> Verify:
    return with_clients(
        clients or (CLIENT,),
        Settings(card_key="k" * 32),
        now=lambda: now,
        keys=lambda _client, kid: [key for key in KEYS if key["kid"] == kid],
        seen=seen or Seen(),
    )


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def symmetric() -> str:
    """HS256, signed with the text of the public key."""
    text = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'ec'})}.{part(claims())}"
    proof = base64.urlsafe_b64encode(hmac.digest(text, signed.encode(), hashlib.sha256)).rstrip(b"=")
    return f"{signed}.{proof.decode()}"


def signed_with_a_weak_key() -> str:
    """RS384 with 1024 bits, which PyJWT itself warns of."""
    signed = f"{part({'alg': 'RS384', 'typ': 'JWT', 'kid': 'weak'})}.{part(claims())}"
    proof = WEAK_RSA_KEY.sign(signed.encode(), PKCS1v15(), SHA384())
    return f"{signed}.{base64.urlsafe_b64encode(proof).rstrip(b'=').decode()}"


# Tokens that convince


@pytest.mark.spec("S-2", "S-9")
@pytest.mark.parametrize(
    "given",
    [
        token(),
        token(RSA_KEY, "RS384", "rsa"),
        token(aud=[URL]),
        token(aud=["https://elsewhere.example", URL]),
        token(aud=f"{URL}/"),
        token(exp=NOW - 20, iat=NOW - 100),
        token(iat=NOW + 20, exp=NOW + 100),
        token(exp=NOW + 3600),
        token(jti="0" * 64),
        token(header={"jku": "https://ehr.example/jwks"}),
        token(tenant="north"),
    ],
)
def test_a_token_of_a_listed_client_names_the_caller(given: str) -> None:
    caller = verifier()(f"Bearer {given}", URL)
    assert (caller.name, caller.issuer) == ("ehr", ISSUER)
    assert verifier()(f"bearer  {given} ", URL) == caller


# Tokens that do not


@pytest.mark.spec("S-3", "S-4", "S-6", "S-7", "S-8", "S-9", "S-11")
@pytest.mark.parametrize(
    ("why", "header"),
    [
        ("none at all", None),
        ("empty", ""),
        ("another scheme", "Basic dTpw"),
        ("no token at all", "Bearer"),
        ("no JWT", "Bearer abc"),
        ("three parts of nothing", "Bearer a.b.c"),
        ("endless", "Bearer " + "a" * 20_000),
        ("claims that are no object", f"Bearer {part({'alg': 'ES384', 'typ': 'JWT', 'kid': 'ec'})}.{part([1])}.AAAA"),
        ("another key", f"Bearer {token(OTHER_EC_KEY)}"),
        ("unsigned", f"Bearer {part({'alg': 'none', 'typ': 'JWT', 'kid': 'ec'})}.{part(claims())}."),
        ("unsigned, in capitals", f"Bearer {part({'alg': 'None', 'typ': 'JWT', 'kid': 'ec'})}.{part(claims())}."),
        ("signature cut off", f"Bearer {token().rpartition('.')[0]}."),
        (
            "claims changed",
            "Bearer {}.{}.{}".format(token().split(".")[0], part(claims(jti="x")), token().split(".")[2]),
        ),
        ("symmetric", f"Bearer {symmetric()}"),
        ("algorithm not agreed", f"Bearer {token(RSA_KEY, 'RS256', 'rsa')}"),
        ("curve of another algorithm", f"Bearer {token(P256_KEY, 'ES256', 'p256')}"),
        ("weak key", f"Bearer {signed_with_a_weak_key()}"),
        ("key for encryption", f"Bearer {token(kid='for-encryption')}"),
        ("key for another algorithm", f"Bearer {token(kid='for-another-algorithm')}"),
        ("kind of key that the algorithm does not use", f"Bearer {token(kid='rsa')}"),
        ("unknown key id", f"Bearer {token(kid='nobody')}"),
        ("no key id", f"Bearer {token(kid=None)}"),
        ("no type", f"Bearer {token(header={'typ': ''})}"),
        ("another type", f"Bearer {token(header={'typ': 'at+jwt'})}"),
        ("unlisted jku", f"Bearer {token(header={'jku': 'https://evil.example/jwks'})}"),
        ("critical extension", f"Bearer {token(header={'crit': ['b64']})}"),
        *((f"{name} missing", f"Bearer {token(**{name: ...})}") for name in ("iss", "aud", "exp", "iat", "jti")),
        ("unknown issuer", f"Bearer {token(iss='https://evil.example')}"),
        ("issuer of another kind", "Bearer {1}.{0}.{2}".format(part(claims(iss=["x"])), *token().split(".")[::2])),
        ("audience of another service", f"Bearer {token(aud=URL.replace('view', 'sign'))}"),
        ("audience is the base only", f"Bearer {token(aud='https://cds.example')}"),
        ("audience of another kind", f"Bearer {token(aud={'x': 1})}"),
        ("expired", f"Bearer {token(iat=NOW - 400, exp=NOW - 31)}"),
        ("issued in the future", f"Bearer {token(iat=NOW + 31)}"),
        ("not valid yet", f"Bearer {token(nbf=NOW + 31)}"),
        ("valid for too long", f"Bearer {token(exp=NOW + 3601)}"),
        ("ends before it begins", f"Bearer {token(iat=NOW + 10, exp=NOW + 5)}"),
        ("time as text", f"Bearer {token(exp='never')}"),
        ("time as truth", f"Bearer {token(exp=True)}"),
        ("empty jti", f"Bearer {token(jti='')}"),
    ],
)
def test_a_token_that_does_not_convince_is_refused_and_never_told_why(why: str, header: str | None) -> None:
    with pytest.raises(NotAuthenticatedError) as caught:
        verifier()(header, URL)
    assert (caught.value.status, caught.value.text, caught.value.diagnostics) == (
        401,
        "Authentication is required.",
        "",
    )
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, why


@pytest.mark.spec("S-12")
def test_a_token_is_good_once() -> None:
    verify, given = verifier(), f"Bearer {token()}"
    verify(given, URL)
    with pytest.raises(NotAuthenticatedError):
        verify(given, URL)
    verify(f"Bearer {token(jti='j2')}", URL)


@pytest.mark.spec("K-4")
def test_a_test_kit_may_use_a_token_again_when_its_entry_says_so() -> None:
    verify = verifier(CLIENT.model_copy(update={"jti_reuse": True}), seen=Seen(down=True))
    assert verify(f"Bearer {token()}", URL) == verify(f"Bearer {token()}", URL)


def test_while_the_store_is_down_the_caller_is_to_try_again_unless_its_entry_says_accept() -> None:
    with pytest.raises(UnavailableError) as caught:
        verifier(seen=Seen(down=True))(f"Bearer {token()}", URL)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
    trusting = CLIENT.model_copy(update={"jti_when_store_is_down": "accept"})
    assert verifier(trusting, seen=Seen(down=True))(f"Bearer {token()}", URL).name == "ehr"


def test_a_store_that_is_down_does_not_let_a_wrong_token_in() -> None:
    trusting = CLIENT.model_copy(update={"jti_when_store_is_down": "accept"})
    with pytest.raises(NotAuthenticatedError):
        verifier(trusting, seen=Seen(down=True))(f"Bearer {token(OTHER_EC_KEY)}", URL)


@pytest.mark.spec("S-13")
def test_a_tenant_that_is_not_listed_is_not_believed() -> None:
    verify = verifier(CLIENT.model_copy(update={"tenants": ["north"]}))
    assert verify(f"Bearer {token(tenant='north')}", URL).tenant == "north"
    for jti, tenant in (("j2", "south"), ("j3", ...)):
        with pytest.raises(NotAuthenticatedError):
            verify(f"Bearer {token(jti=jti, tenant=tenant)}", URL)


@pytest.mark.spec("S-2")
def test_in_demo_mode_everybody_is_the_demo_caller_with_or_without_token() -> None:
    verify = auth.demo(Settings(demo=True))
    assert verify(None, URL) == verify("Bearer nonsense", URL)
    assert verify(None, URL).name == "demo"
