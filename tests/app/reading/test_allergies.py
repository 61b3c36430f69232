"""AllergyIntolerance -> Allergy."""

import pytest

from hooks.facts import Allergy
from tests.app.reading.books import ICD10, RXNORM, SNOMED, concept, day, read

ACTIVE = {"clinicalStatus": {"coding": [{"code": "active"}]}}
HEPARIN = concept("372877000", SNOMED)


def allergies(**elements) -> tuple[Allergy, ...]:
    resource = {"resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/p1"}, **elements}
    return read(resource, key="allergies").patient.allergies


def allergy(**elements) -> Allergy:
    (found,) = allergies(**elements)
    return found


@pytest.mark.parametrize(
    "code", [HEPARIN, {"text": "Heparin"}, {"text": "Allergy to heparin"}, {"text": "Heparin, kind not known"}]
)
def test_an_allergy_to_a_drug(code):
    found = allergy(code=code, recordedDate="2020", **ACTIVE)
    assert found.drug is not None
    assert (found.drug.name, found.anticoagulant_class, found.reaction_is_hit) == ("heparin", None, False)
    assert (found.reference, str(found.recorded)) == ("AllergyIntolerance/a1", "2020")


@pytest.mark.parametrize(
    "code", [concept("373294004", SNOMED), {"text": "LMWH"}, {"text": "low-molecular-weight heparins"}]
)
def test_an_allergy_to_a_class(code):
    assert allergy(code=code).anticoagulant_class == "LMWH"


@pytest.mark.parametrize(
    "elements",
    [
        {"clinicalStatus": {"coding": [{"code": "inactive"}]}},
        {"clinicalStatus": {"coding": [{"code": "resolved"}]}},
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
        {"status": "refuted"},
        {"code": {"text": "No known heparin allergy"}},
        {"code": concept("418689008", SNOMED)},
        {"code": {}},
    ],
)
def test_no_allergy(elements):
    assert allergies(**{"code": HEPARIN, **elements}) == ()


@pytest.mark.parametrize(
    "reaction",
    [
        {"manifestation": [concept("73397007", SNOMED)]},
        {"manifestation": concept("D75.822", ICD10)},
        {"manifestation": [{"text": "Heparin-induced thrombocytopenia"}]},
        {"manifestation": [{"concept": {"text": "HIT"}}]},
        {"description": "HIT in 2019"},
        {"description": "heparin induced thrombocytopaenia"},
    ],
)
def test_a_reaction_that_is_hit(reaction):
    assert allergy(code=HEPARIN, reaction=[reaction]).reaction_is_hit


@pytest.mark.parametrize(
    "reaction",
    [
        {"manifestation": [concept("D75.821", ICD10)]},
        {"manifestation": [{"text": "Non-immune heparin-induced thrombocytopenia"}]},
        {"description": "HIT ruled out"},
        {"description": "HIT antibodies negative"},
        {"description": "No HIT"},
        {"description": "bruised where hit by a ball"},
        {"manifestation": [{"text": "Rash"}]},
        {"manifestation": [None, 3, []]},
    ],
)
def test_a_reaction_that_is_not_hit(reaction):
    assert not allergy(code=HEPARIN, reaction=[reaction]).reaction_is_hit


def test_hit_as_the_allergy_itself():
    found = allergy(code=concept("73397007", SNOMED))
    assert (found.reaction_is_hit, found.anticoagulant_class) == (True, "UFH")


def test_the_substance_of_a_reaction_counts():
    found = allergy(code={"text": "Medicine"}, reaction=[{"substance": concept("1364445", RXNORM)}])
    assert found.drug is not None
    assert found.drug.name == "apixaban"
    assert found.label == "Medicine"


def test_an_unconfirmed_allergy_of_an_old_server_counts():
    assert allergy(substance=HEPARIN, status="unconfirmed", recordedDate="2026-03-01").recorded == day("2026-03-01")
