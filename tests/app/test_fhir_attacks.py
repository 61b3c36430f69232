"""A caller who is known and ill-meaning: where it tries to send the service, and where a token may end up."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app.settings import Settings
from tests.app.service import COLON_CANCER, PERSON, Service, call, running, searchset
from tests.app.tls import certify
from tests.fake_ehr import FakeEhr, bundle, failing, in_turn, redirecting, saying, serving

PUBLIC = "https://cds.example"
KEY = ec.generate_private_key(ec.SECP384R1())
TOKEN = "opaque-canary-token"


@dataclass(frozen=True)
class Hospital:
    """The service, the EHR that its caller may name, and a server on the same machine that it may not."""

    service: Service
    ehr: FakeEhr
    other: FakeEhr

    def sign(self, server: str, authorization: Any = None, **changes: Any) -> requests.Response:
        """A draft of apixaban signed, nothing of the record sent along."""
        now = int(time.time())
        claims = {"iss": "https://ehr.example", "aud": f"{PUBLIC}/cds-services/cat-order-sign", "iat": now}
        token = jwt.encode(
            {**claims, "exp": now + 60, "jti": f"{time.monotonic_ns()}"}, KEY, "ES384", headers={"kid": "k1"}
        )
        body = call(
            "order-sign", prefetch={}, fhirServer=server, fhirAuthorization=authorization or access(), **changes
        )
        return self.service.post(body, headers={"Authorization": f"Bearer {token}"})


def access(**changes: Any) -> dict[str, Any]:
    plain = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "cds",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


@contextmanager
def hospital_in(folder: Path, context: ssl.SSLContext, ca_file: Path, entry: str = "") -> Iterator[Hospital]:
    public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    (folder / "north.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1"}]}))
    with serving(context) as ehr, serving(context) as other:
        (folder / "clients.toml").write_text(
            '[[client]]\nname = "north"\nissuer = "https://ehr.example"\njwks_file = "north.json"\n'
            f'fhir_servers = ["{ehr.base.replace("127.0.0.1", "localhost")}"]\nbudget_ms = 10000\n{entry}'
        )
        settings = Settings(
            clients_file=folder / "clients.toml",
            card_key="k" * 32,
            public_url=PUBLIC,
            ca_file=ca_file,
            state_dir=folder,
            fhir_connections=3,
        )
        with running(settings) as service:
            yield Hospital(service, ehr, other)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certify(tmp_path_factory.mktemp("tls"), "127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, ssl.SSLContext]) -> Iterator[Hospital]:
    ca_file, context = certificate
    with hospital_in(tmp_path_factory.mktemp("hospital"), context, ca_file, "internal_network = true\n") as one:
        yield one


@pytest.fixture
def hospital(shared: Hospital) -> Hospital:
    """The hospital with a record to read, nothing asked yet."""
    for ehr in (shared.ehr, shared.other):
        assert ehr.is_idle()
        ehr.asked.clear()
        ehr.answers.clear()
        ehr.most_at_once = 0
    shared.ehr.on("Patient", saying(PERSON))
    shared.ehr.on("Condition", saying(searchset(COLON_CANCER)))
    return shared


def base(hospital: Hospital) -> str:
    return hospital.ehr.base.replace("127.0.0.1", "localhost")


def test_the_server_that_was_agreed_is_asked_with_the_token_and_only_read(hospital: Hospital) -> None:
    assert hospital.sign(base(hospital)).status_code == 200
    assert {asked.headers["authorization"] for asked in hospital.ehr.asked} == {f"Bearer {TOKEN}"}
    assert hospital.ehr.paths("Patient") == ["/Patient/pt-1"]
    assert all("pt-1" in path for path in hospital.ehr.paths())
    assert {asked.headers["host"] for asked in hospital.ehr.asked} == {base(hospital).split("/")[2]}


def test_the_server_may_be_spelled_in_another_way_and_is_asked_as_agreed(hospital: Hospital) -> None:
    assert hospital.sign(base(hospital).replace("https://localhost", "HTTPS://LOCALHOST") + "/").status_code == 200
    assert {asked.headers["host"] for asked in hospital.ehr.asked} == {base(hospital).split("/")[2]}


TRICKS = [
    "https://localhost.evil.test:{port}/fhir", "https://evil.test/fhir", "https://localhost@127.0.0.1:{other}/fhir",
    "https://user:pw@localhost:{port}/fhir", "https://localhost:{other}/fhir", "https://localhost/fhir",
    "https://localhost:{port}0/fhir", "https://localhost:0{port}x/fhir", "http://localhost:{port}/fhir",
    "https://127.0.0.1:{port}/fhir", "https://2130706433:{port}/fhir", "https://0x7f000001:{port}/fhir",
    "https://0177.0.0.1:{port}/fhir", "https://127.1:{port}/fhir", "https://[::1]:{port}/fhir",
    "https://[::ffff:127.0.0.1]:{port}/fhir", "https://[fe80::1%25lo]:{port}/fhir", "https://[::1%lo]:{port}/fhir",
    "https://169.254.169.254/fhir", "https://localhоst:{port}/fhir", "https://xn--localhst-sjg:{port}/fhir",
    "https://localhost:{port}/fhir/..", "https://localhost:{port}/fhir/../admin", "https://localhost:{port}/admin/../fhir",
    "https://localhost:{port}/fhir/%2e%2e/admin", "https://localhost:{port}//fhir", "https://localhost:{port}/fhir//x",
    "https://localhost:{port}/FHIR", "https://localhost:{port}/fhir2", "https://localhost:{port}/",
    "https://localhost:{port}/fhir?x=1", "https://localhost:{port}/fhir#x", "https://localhost:{port}/fhir?",
    "https://localhost:{port}/fhir;x", "https://evil.test\\@localhost:{port}/fhir", "https:\\\\localhost:{port}\\fhir",
    "https://localhost:{port}\\.evil.test/fhir", "https://localhost:{port}/fhir\r\nX-Injected: 1",
    "https://localhost:{port}/fhir /x", "\thttps://localhost:{port}/fhir", "https://local\nhost:{port}/fhir",
    "https:///localhost:{port}/fhir", "https:localhost:{port}/fhir", "//localhost:{port}/fhir", "localhost:{port}/fhir",
    "file:///etc/passwd", "ftp://localhost:{port}/fhir", "gopher://localhost:{port}/_GET", "data:application/json,{{}}",
    "javascript:alert(1)", "https://", "https://[", "https://localhost:-1/fhir", "https://*:{port}/fhir",
]  # fmt: skip


@pytest.mark.spec("FA-9", "R-3")
@pytest.mark.parametrize("trick", TRICKS)
def test_a_server_that_was_not_agreed_is_not_asked(hospital: Hospital, trick: str) -> None:
    port, other = (ehr.base.split(":")[2].split("/")[0] for ehr in (hospital.ehr, hospital.other))
    assert hospital.sign(trick.format(port=port, other=other)).status_code == 412
    assert hospital.ehr.asked == hospital.other.asked == []


def test_one_more_dot_behind_the_host_changes_nothing(hospital: Hospital) -> None:
    assert hospital.sign(base(hospital).replace("localhost", "localhost.")).status_code == 200
    assert {asked.headers["host"] for asked in hospital.ehr.asked} == {base(hospital).split("/")[2]}


def test_without_agreement_a_listed_name_that_leads_to_this_machine_is_not_asked(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    with hospital_in(tmp_path, certificate[1], certificate[0]) as careful:
        answer = careful.sign(base(careful))
        assert careful.ehr.asked == []
    assert "not-usable" in answer.text or answer.status_code == 412
    assert "127.0.0.1" not in answer.text


# Where a server that was agreed points to


@pytest.mark.spec("FA-9")
def test_a_redirect_takes_the_token_nowhere(hospital: Hospital) -> None:
    hospital.ehr.on("Condition", redirecting(f"{hospital.other.base}/Condition"))
    hospital.sign(base(hospital))
    assert hospital.other.asked == []


@pytest.mark.spec("FA-9")
@pytest.mark.parametrize(
    "link",
    [
        "{other}/Condition?page=2", "https://evil.test/fhir/Condition", "http://localhost:{port}/fhir/Condition?page=2",
        "https://localhost:{port}/elsewhere?page=2", "https://localhost:{port}/fhir/../elsewhere", "/elsewhere?page=2",
        "https://localhost:{port}/fhir/%2e%2e/elsewhere", "https://localhost:{port}/fhir/..%2Felsewhere",
        "https://user@localhost:{port}/fhir/Condition", "https://localhost@127.0.0.1:{port}/fhir/Condition",
        "//127.0.0.1:{port}/fhir/Condition", "https://127.0.0.1:{port}/fhir/Condition", "file:///etc/passwd",
        "https://localhost:{port}\\@evil.test/fhir/Condition", "https://localhost:{port}/fhir/Condition#page=2",
    ],
)  # fmt: skip
def test_a_page_elsewhere_is_not_turned_to(hospital: Hospital, link: str) -> None:
    port = hospital.ehr.base.split(":")[2].split("/")[0]
    following = link.format(port=port, other=hospital.other.base)
    hospital.ehr.on("Condition", saying(bundle(COLON_CANCER, following=following)))
    answer = hospital.sign(base(hospital))
    assert len(hospital.ehr.paths("Condition")) == 1
    assert [path for path in hospital.ehr.paths() if "elsewhere" in path] == hospital.other.asked == []
    assert "conditions" in hospital.service.log[-1].gaps
    assert following not in answer.text


def test_a_page_below_the_base_url_is_turned_to(hospital: Hospital) -> None:
    following = f"{base(hospital)}?page=2"
    first, second = bundle(COLON_CANCER, following=following), bundle()
    hospital.ehr.on("Condition", saying(first))
    hospital.ehr.on("", saying(second))
    hospital.sign(base(hospital))
    assert "?page=2" in hospital.ehr.paths()


@pytest.mark.parametrize(
    "reference",
    ["../Patient/other", "Medication/..", "Medication/../Patient/other", "{other}/Medication/m1", "Medication/%2e%2e",
     "Medication/m1?_include=*", "Medication/m1#x", "https://evil.test/Medication/m1", "/Medication/m1",
     "Medication/m 1", "Medication/m1\r\nX: y"],
)  # fmt: skip
def test_a_reference_with_a_trick_is_not_read(hospital: Hospital, reference: str) -> None:
    draft = {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/pt-1"},
        "medicationReference": {"reference": reference.format(other=hospital.other.base), "display": "apixaban"},
    }
    context = {
        "userId": "Practitioner/p1",
        "patientId": "pt-1",
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
    }
    assert hospital.sign(base(hospital), context=context).status_code == 200
    assert hospital.other.asked == []
    assert [path for path in hospital.ehr.paths() if path.startswith(("/Medication/", "/..")) or "other" in path] == []


@pytest.mark.parametrize(
    "patient",
    ["../2", "1/../2", "..", "1?x", "1#x", "1&patient=2", "1%2f2", "1\r\nX: y", "1/$export"],
)
def test_a_patient_id_with_a_trick_is_refused(hospital: Hospital, patient: str) -> None:
    answer = hospital.sign(base(hospital), context={**call("order-sign")["context"], "patientId": patient})
    assert answer.status_code == 400
    assert hospital.ehr.asked == []


# The token


@pytest.mark.parametrize(
    "authorization",
    [
        access(access_token=...), access(access_token="a b"), access(access_token="a\r\nX: y"), access(access_token=""),
        access(token_type="mac"), access(scope=...), access(subject=...), access(expires_in=0), access(expires_in=-5),
        "token", ["token"],
    ],
)  # fmt: skip
def test_an_authorization_that_cannot_be_used_means_no_asking(hospital: Hospital, authorization: Any) -> None:
    assert hospital.sign(base(hospital), authorization).status_code == 412
    assert hospital.ehr.asked == []


@pytest.mark.parametrize("expires_in", [..., None, "300", True, 300, 300.5, 10**18])
def test_a_life_that_is_missing_or_odd_does_not_break_the_call(hospital: Hospital, expires_in: Any) -> None:
    assert hospital.sign(base(hospital), access(expires_in=expires_in)).status_code == 200
    assert hospital.ehr.asked != []


def test_a_token_is_not_used_beyond_its_life(hospital: Hospital) -> None:
    over = threading.Event()

    def hang(_: object) -> Any:
        over.wait(10)
        return saying(bundle())(None)  # type: ignore[arg-type]

    hospital.ehr.on("Condition", hang)
    started = time.monotonic()
    hospital.sign(base(hospital), access(expires_in=0.2))
    assert time.monotonic() - started < 3
    over.set()


@pytest.mark.spec("FA-7")
@pytest.mark.parametrize(
    "scope", ["launch openid", "patient/Observation.rs", "patient/Patient.c", "patient/Patient.write"]
)
def test_beyond_its_scopes_nothing_is_asked(hospital: Hospital, scope: str) -> None:
    hospital.sign(base(hospital), access(scope=scope))
    assert hospital.ehr.paths("Patient") + hospital.ehr.paths("Condition") == []


@pytest.mark.spec("FA-2")
def test_the_token_of_another_patient_is_refused(hospital: Hospital) -> None:
    assert hospital.sign(base(hospital), access(patient="other")).status_code == 400
    assert hospital.ehr.asked == []


@pytest.mark.spec("FA-4")
def test_the_token_is_in_no_answer_and_no_log(hospital: Hospital) -> None:
    hospital.ehr.on("Condition", failing(500))
    answer = hospital.sign(base(hospital))
    assert TOKEN not in answer.text + str(answer.headers) + repr(hospital.service.log)


# Manners


def test_only_the_agreed_number_of_requests_run_at_a_time_however_the_server_is_spelled(hospital: Hospital) -> None:
    spellings = [base(hospital), base(hospital).replace("localhost", "LOCALHOST"), base(hospital) + "/"]
    gate = threading.Event()

    def wait(_: object) -> Any:
        if hospital.ehr.at_once > 3:
            gate.set()
        gate.wait(0.3)  # long enough for a fourth to come, if it may
        gate.set()
        return saying(bundle())(None)  # type: ignore[arg-type]

    hospital.ehr.on("Observation", wait)
    calls = [threading.Thread(target=hospital.sign, args=(one,)) for one in spellings]
    for one in calls:
        one.start()
    for one in calls:
        one.join(20)
    assert hospital.ehr.most_at_once == 3


@pytest.mark.spec("FA-8")
def test_after_the_answer_nothing_is_asked(tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]) -> None:
    entry = "internal_network = true\n"
    with hospital_in(tmp_path, certificate[1], certificate[0], entry) as one:
        released = threading.Event()
        gone = threading.Event()

        def slow(_: object) -> Any:
            released.wait(10)
            gone.set()
            return saying(bundle(COLON_CANCER, following=f"{base(one)}/Condition?page=2"))(None)  # type: ignore[arg-type]

        one.ehr.on("Patient", saying(PERSON))
        one.ehr.on("Condition", in_turn(slow, saying(bundle())))
        one.sign(base(one), access(expires_in=0.2))
        asked = list(one.ehr.asked)
        released.set()
        assert gone.wait(5)
        assert one.service.get("/health/live").status_code == 200
        assert one.ehr.asked == asked


def test_when_a_call_breaks_what_is_under_way_asks_no_further_page(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, released, answered = threading.Event(), threading.Event(), threading.Event()

    def first_page(_: object) -> Any:
        entered.set()
        released.wait(10)
        answered.set()
        return saying(bundle(COLON_CANCER, following=f"{base(hospital)}/Condition?page=2"))(None)  # type: ignore[arg-type]

    def broken(*_: object) -> None:
        assert entered.wait(5)
        raise RuntimeError

    hospital.ehr.on("Condition", in_turn(first_page, saying(bundle())))
    monkeypatch.setattr("app.gather._before_deadline", broken)
    assert hospital.sign(base(hospital)).status_code == 500
    released.set()
    assert answered.wait(5)
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline and len(hospital.ehr.paths("Condition")) == 1:
        hospital.service.get("/health/live")
    assert len(hospital.ehr.paths("Condition")) == 1
