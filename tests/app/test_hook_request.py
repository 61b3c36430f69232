"""JSON bodies -> HookRequest: what is taken leniently and what is refused, element by element."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app import hook_request
from app.errors import BadRequestError, CallError, MissingElementError
from app.hook_request import HookRequest, parse
from app.request_body import read_call

UUID = "6f2b8d0e-3c1a-4e55-9d6b-2a7f0c9e41b7"
DRAFT = {"resourceType": "MedicationRequest", "id": "d1", "status": "draft"}


def view(**changes: Any) -> dict[str, Any]:
    context = {"userId": "Practitioner/p1", "patientId": "pt-1"}
    return {"hook": "patient-view", "hookInstance": UUID, "context": context, **changes}


def select(
    *resources: dict[str, Any], selections: object = ("MedicationRequest/d1",), **context: Any
) -> dict[str, Any]:
    drafts = {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources or (DRAFT,)]}
    chosen = list(selections) if isinstance(selections, tuple) else selections
    body = view(hook="order-select")
    body["context"] |= {"draftOrders": drafts, "selections": chosen, **context}
    return body


def read(body: object, *hooks: str) -> HookRequest:
    return parse(orjson.dumps(body), "a-service", hooks or ("patient-view", "order-select", "order-sign"))


def refusal(body: object, *hooks: str) -> CallError:
    with pytest.raises(CallError) as caught:
        read(body, *hooks)
    return caught.value


def in_context(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    merged = {**body["context"], **changes}
    return {**body, "context": {name: value for name, value in merged.items() if value is not ...}}


# The body itself


def test_no_member_is_read_that_is_left_out_when_a_body_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    class Asked(dict[str, Any]):
        def get(self, name: str, default: object = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    authorization = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"}
    body = select() | {"fhirServer": "https://ehr.example.org", "fhirAuthorization": authorization, "prefetch": {}}
    monkeypatch.setattr(hook_request, "read_call", lambda _body: Asked(body))
    read(body)

    assert "prefetch" in asked
    assert set(read_call(orjson.dumps({name: {} for name in asked}))) == asked


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not valid JSON"),
        (b'{"hook": "patient-view",}', "not valid JSON"),
        (b'{"hook": NaN}', "not valid JSON"),
        (b'{"hook": Infinity}', "not valid JSON"),
        (b'\xff\xfe{"a": 1}', "not valid JSON"),
        (b'{"hook": "\\ud800"}', "not valid JSON"),
        (b'// comment\n{"hook": 1}', "not valid JSON"),
        (b"[]", "one JSON object"),
        (b"null", "one JSON object"),
        (b'"text"', "one JSON object"),
        (b'{"a":' * 100_000, "not valid JSON"),
    ],
)
def test_a_body_that_is_no_clear_json_object_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadRequestError, match=why) as caught:
        parse(body, "a-service", ("patient-view",))
    assert caught.value.status == 400


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    body = orjson.dumps(view()).replace(b'"patientId"', b'"patientId": "other", "patientId"')
    assert parse(body, "a-service", ("patient-view",)).patient_id == "pt-1"


def test_drafts_too_deep_to_be_written_back_are_refused() -> None:
    deep = b'{"a":' * 600 + b"1" + b"}" * 600
    body = orjson.dumps(view()).replace(b'"patientId"', b'"zzz": ' + deep + b', "patientId"')
    with pytest.raises(BadRequestError, match="too deeply nested") as caught:
        parse(body, "a-service", ("patient-view",))
    assert caught.value.expression == ("context",)


def test_depth_that_is_only_read_does_no_harm() -> None:
    body = orjson.dumps(view()).replace(b'"hook"', b'"zzz": ' + b'{"a":' * 600 + b"1" + b"}" * 600 + b', "hook"')
    assert parse(body, "a-service", ("patient-view",)).patient_id == "pt-1"


# Top level


@pytest.mark.spec("R-1", "R-2", "R-5")
@pytest.mark.parametrize("name", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [None, ...])
def test_a_required_element_that_is_missing_or_null_is_named(name: str, value: object) -> None:
    body = {key: one for key, one in view(**{name: value}).items() if one is not ...}
    error = refusal(body)
    assert isinstance(error, MissingElementError)
    assert (error.status, error.expression) == (400, (name,))


@pytest.mark.parametrize(
    ("changes", "expression"),
    [
        ({"hook": 7}, "hook"),
        ({"hook": "order-dispatch"}, "hook"),
        ({"hookInstance": ""}, "hookInstance"),
        ({"hookInstance": 7}, "hookInstance"),
        ({"hookInstance": "x" * 257}, "hookInstance"),
        ({"context": "pt-1"}, "context"),
        ({"prefetch": []}, "prefetch"),
        ({"fhirServer": 7}, "fhirServer"),
    ],
)
def test_an_element_of_the_wrong_kind_is_named(changes: dict[str, Any], expression: str) -> None:
    error = refusal(view(**changes))
    assert (error.status, error.expression) == (400, (expression,))


def test_a_hook_of_another_service_is_refused() -> None:
    assert refusal(view(), "order-sign").expression == ("hook",)


@pytest.mark.spec("R-2")
@pytest.mark.parametrize("given", [UUID, UUID.upper(), f"urn:uuid:{UUID}"])
def test_the_hook_instance_is_brought_to_one_form(given: str) -> None:
    request = read(view(hookInstance=given))
    assert (request.hook_instance, request.warnings) == (UUID, ())


@pytest.mark.spec("R-2")
def test_a_hook_instance_that_is_no_uuid_is_taken_with_a_warning() -> None:
    request = read(view(hookInstance="call-17"))
    assert (request.hook_instance, request.warnings) == ("call-17", ("hook-instance-not-uuid",))


@pytest.mark.spec("J-8", "R-9")
def test_unknown_members_and_extensions_change_nothing_at_any_level() -> None:
    plain = view(fhirServer="https://e.example/r4", fhirAuthorization=authorization())
    more = {"zzz": 1, "extension": {"org.example": [1]}}
    decorated = {
        **plain,
        **more,
        "context": {**plain["context"], **more},
        "fhirAuthorization": {**authorization(), **more},
    }
    assert read(decorated) == read(plain)


# Context


@pytest.mark.parametrize("given", ["pt-1", "Patient/pt-1"])
def test_the_patient_id_is_bare(given: str) -> None:
    assert read(in_context(view(), patientId=given)).patient_id == "pt-1"


@pytest.mark.spec("R-5")
@pytest.mark.parametrize("given", [..., None, ""])
@pytest.mark.parametrize("name", ["patientId", "userId"])
def test_patient_and_user_are_required(name: str, given: object) -> None:
    error = refusal(in_context(view(), **{name: given}))
    assert (error.code, error.expression) == ("required", (f"context.{name}",))


@pytest.mark.parametrize(
    "given", ["../x", "..", ".", "a/b", "Patient/a/b", "a?b", "a#b", "ä", "x" * 65, 7, ["a"], "a\n"]
)
@pytest.mark.parametrize("name", ["patientId", "encounterId"])
def test_an_id_that_cannot_stand_in_an_address_is_refused(name: str, given: object) -> None:
    error = refusal(in_context(view(), **{name: given}))
    assert (error.status, error.expression) == (400, (f"context.{name}",))


@pytest.mark.parametrize(
    ("given", "expected"), [(..., None), (None, None), ("", None), ("e1", "e1"), ("Encounter/e1", "e1")]
)
def test_the_encounter_is_optional(given: object, expected: str | None) -> None:
    assert read(in_context(view(), encounterId=given)).encounter_id == expected


@pytest.mark.parametrize("user", ["Patient/pt-1", "RelatedPerson/r1", "https://e.example/r4/Patient/pt-1"])
def test_patients_and_their_relatives_are_shown_nothing(user: str) -> None:
    assert read(in_context(view(), userId=user)).silence == "user-is-patient"


@pytest.mark.parametrize("user", ["Practitioner/Patient", "PractitionerRole/x", "somebody"])
def test_other_users_are_answered(user: str) -> None:
    assert read(in_context(view(), userId=user)).silence == ""


# Orders


def test_selected_drafts_are_in_focus_and_the_others_are_kept() -> None:
    other = {"resourceType": "ServiceRequest", "id": "d2"}
    request = read(select(other, DRAFT))
    assert [entry["resource"]["id"] for entry in request.draft_orders] == ["d2", "d1"]
    assert request.in_focus == (1,)


def test_on_signing_all_drafts_are_in_focus_whatever_their_status() -> None:
    body = select(DRAFT, {**DRAFT, "id": "d2", "status": "active"}, selections=None)
    assert read({**body, "hook": "order-sign"}).in_focus == (0, 1)


@pytest.mark.spec("A-12")
@pytest.mark.parametrize(
    ("selection", "url", "found"),
    [
        ("MedicationRequest/d1", "", True),
        ("d1", "", True),
        ("urn:uuid:1", "urn:uuid:1", True),
        ("MedicationRequest/x9", "https://e.example/r4/MedicationRequest/x9", True),
        ("https://e.example/r4/MedicationRequest/d1", "https://e.example/r4/MedicationRequest/d1", True),
        ("MedicationRequest/D1", "", False),
        ("ServiceRequest/d1", "", False),
        ("d", "", False),
        ("", "", False),
    ],
)
def test_a_selection_means_a_draft_by_type_and_id_by_id_or_by_full_url(selection: str, url: str, found: bool) -> None:
    body = select(DRAFT, selections=[selection])
    body["context"]["draftOrders"]["entry"][0]["fullUrl"] = url
    if found:
        assert read(body).in_focus == (0,)
    else:
        assert refusal(body).expression == ("context.selections",)


@pytest.mark.spec("A-12")
def test_a_bare_id_that_two_drafts_have_means_neither() -> None:
    assert refusal(select(DRAFT, {**DRAFT, "resourceType": "ServiceRequest"}, selections=["d1"])).status == 400


def test_a_selection_without_match_beside_one_with_match_is_passed_over() -> None:
    assert read(select(DRAFT, selections=["MedicationRequest/gone", 7, None, "MedicationRequest/d1"])).in_focus == (0,)


@pytest.mark.parametrize("selections", [[], ["MedicationRequest/gone"], [7], "MedicationRequest/d1", {}])
def test_no_selection_that_matches_is_refused_and_not_answered_with_no_cards(selections: object) -> None:
    assert refusal(select(DRAFT, selections=selections)).expression == ("context.selections",)


def test_a_context_without_selections_and_drafts_gets_no_cards() -> None:
    assert read(view(hook="order-select")).silence == "no-orders"


def test_selections_without_drafts_and_drafts_without_selections_are_refused() -> None:
    assert refusal(in_context(select(), draftOrders=...)).expression == ("context.draftOrders",)
    assert refusal(in_context(select(), selections=...)).expression == ("context.selections",)


def test_signing_without_drafts_is_refused() -> None:
    assert refusal(view(hook="order-sign")).expression == ("context.draftOrders",)


@pytest.mark.parametrize("drafts", [[], "x", {"resourceType": "List"}, {"resourceType": "Bundle", "entry": {}}])
def test_drafts_that_are_no_bundle_are_refused(drafts: object) -> None:
    assert refusal(in_context(select(), draftOrders=drafts)).expression == ("context.draftOrders",)


def test_entries_without_resource_id_or_type_break_nothing() -> None:
    body = select(DRAFT)
    body["context"]["draftOrders"]["entry"] += [
        None,
        7,
        {},
        {"resource": None},
        {"resource": {}},
        {"resource": {"id": 7}},
    ]
    assert read(body).in_focus == (0,)
    del body["context"]["draftOrders"]["resourceType"]
    assert read(body).in_focus == (0,)


@pytest.mark.spec("R-8")
@pytest.mark.parametrize("kind", ["MedicationOrder", "ProcedureRequest"])
def test_orders_of_older_fhir_versions_get_a_clear_answer(kind: str) -> None:
    error = refusal(select(DRAFT, {"resourceType": kind, "id": "d2"}))
    assert error.expression == ("context.draftOrders.entry[1].resource",)
    assert kind in error.text
    assert "R4" in error.text


# FHIR access


def authorization(**changes: Any) -> dict[str, Any]:
    parts = {
        "access_token": "opaque",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/Patient.rs patient/Condition.rs",
        "subject": "cat-cds",
        **changes,
    }
    return {name: value for name, value in parts.items() if value is not ...}


def access(**changes: Any) -> HookRequest:
    return read(view(fhirServer="https://e.example/r4/", fhirAuthorization=authorization(**changes)))


def test_token_and_scopes_are_read_and_the_token_is_not_shown() -> None:
    request = access()
    assert request.fhir is not None
    assert (request.fhir.server, request.fhir.token) == ("https://e.example/r4", "opaque")
    assert request.fhir.scopes == ("patient/Patient.rs", "patient/Condition.rs")
    assert "opaque" not in repr(request)


@pytest.mark.spec("R-4")
@pytest.mark.parametrize("given", [None, ...])
def test_null_means_no_authorization(given: object) -> None:
    body = view(fhirServer="https://e.example/r4", fhirAuthorization=given)
    request = read({name: value for name, value in body.items() if value is not ...})
    assert request.fhir is not None
    assert (request.fhir.token, request.fhir.scopes, request.fhir.usable) == ("", None, True)


@pytest.mark.spec("R-3")
def test_an_authorization_without_server_is_refused() -> None:
    assert refusal(view(fhirAuthorization=authorization())).expression == ("fhirServer",)


@pytest.mark.spec("FA-2")
@pytest.mark.parametrize("patient", ["pt-1", "Patient/pt-1", "", None, ...])
def test_a_token_for_the_patient_in_context_is_used(patient: object) -> None:
    assert access(patient=patient).fhir is not None


@pytest.mark.spec("FA-2")
@pytest.mark.parametrize("patient", ["pt-2", "Patient/pt-2", 7])
def test_a_token_for_another_patient_is_refused(patient: object) -> None:
    body = view(fhirServer="https://e.example/r4", fhirAuthorization=authorization(patient=patient))
    assert refusal(body).expression == ("fhirAuthorization.patient",)


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [(..., None), (None, None), ("300", None), (True, None), (300, 300)]
)
def test_a_lifetime_that_is_missing_or_odd_is_tolerated(expires_in: object, seconds: float | None) -> None:
    request = access(expires_in=expires_in)
    assert request.fhir is not None
    assert request.fhir.usable
    assert request.fhir.seconds == seconds


@pytest.mark.parametrize("expires_in", [0, -1, -0.5])
def test_a_token_that_has_expired_is_not_used_and_does_not_break_the_call(expires_in: object) -> None:
    request = access(expires_in=expires_in)
    assert request.fhir is not None
    assert not request.fhir.usable
    assert "fhir-token-expired" in request.warnings


@pytest.mark.spec("FA-1")
@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": ...},
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": "line\r\nX-Other: 1"},
        {"access_token": "schlüssel"},
        {"token_type": ...},
        {"token_type": "mac"},
        {"scope": ...},
        {"subject": ...},
    ],
)
def test_an_incomplete_authorization_is_of_no_use_and_no_error(changes: dict[str, Any]) -> None:
    request = access(**changes)
    assert request.fhir is not None
    assert not request.fhir.usable
    assert request.fhir.token == ""
    assert request.warnings == ("fhir-authorization-unusable",)


@pytest.mark.spec("FA-1")
@pytest.mark.parametrize("given", ["Bearer x", [], 7])
def test_an_authorization_that_is_no_object_is_of_no_use_and_no_error(given: object) -> None:
    request = read(view(fhirServer="https://e.example/r4", fhirAuthorization=given))
    assert request.fhir is not None
    assert not request.fhir.usable
