"""The lines of a card that say which facts made a rule speak."""

from __future__ import annotations

from dataclasses import replace

from hooks.clinic import describe
from hooks.clinic.picture import Picture, find_picture
from tests.hooks.strategies import Scene, judge, knowledge

BASE = Scene(hook="patient-view")


def picture(scene: Scene) -> Picture:
    judged = judge(scene.body(), "lmwh-first-2014")
    return find_picture(judged.patient, judged.orders, knowledge().profiles["lmwh-first-2014"], knowledge().dosing)


def test_clot_and_cancer() -> None:
    clot, cancer = describe.both(
        picture(replace(BASE, conditions=("I82.412 d-3", "C49.21+443719001 recurrence d-400")))
    )
    assert clot == "VTE: Diagnosis I82.412 (I82.412), since 2026-01-12 (3 days ago)"
    assert cancer.startswith("Cancer: Diagnosis C49.21+443719001 (C49.21, 443719001), recurrence, since 2024-12-11")


def test_a_clot_that_may_not_be_deep_is_possible() -> None:
    (line,) = describe.clot(picture(replace(BASE, conditions=("I82.90 d-3", "C18.9 d-10"))))
    assert line.startswith("Possible VTE: ")


def test_no_clot_and_no_cancer_are_no_lines() -> None:
    assert describe.both(picture(replace(BASE, conditions=()))) == ()


def test_metastases_and_treatment_are_said_beside_the_cancer() -> None:
    scene = replace(
        BASE, conditions=("I82.412 d-3", "C18.9 d-10", "C78.7 d-5"), drugs=("cisplatin d-20", "tamoxifen d-30")
    )
    found = picture(scene)
    primary = next(d for d in found.cancer.diagnoses if "C18.9" in d.codes)
    (line,) = describe.cancer(found, (primary,))
    assert line.endswith("; metastatic; treated with cisplatin and tamoxifen")
    (line,) = describe.cancer(found)
    assert "C78.7" in line
    assert "; metastatic" not in line


def test_values_with_day() -> None:
    found = picture(BASE)
    assert describe.platelets(found) == "Platelets 220 × 10⁹/L, 2026-01-14"
    assert describe.weight(found) == "Weight 70 kg, 2026-01-14"
    assert describe.clearance(found) == (
        "CrCl 93.0 mL/min (Cockcroft-Gault: creatinine 0.8 mg/dL, 2026-01-14; weight 70 kg, 2026-01-14)"
    )


def test_values_that_are_missing() -> None:
    found = picture(replace(BASE, values=()))
    assert describe.platelets(found) == "Platelets: none on record"
    assert describe.clearance(found) == "Creatinine clearance not known"
