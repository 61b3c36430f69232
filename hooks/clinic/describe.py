"""The lines of a card that say which facts of the patient made a rule speak."""

from hooks.clinic import wording
from hooks.clinic.measures import shown
from hooks.clinic.picture import Picture
from hooks.facts import Diagnosis


def clot(picture: Picture) -> tuple[str, ...]:
    """The index clot."""
    if picture.clot is None:
        return ()
    word = "Possible VTE" if picture.clot.possible else "VTE"
    return (f"{word}: {wording.diagnosis(picture.clot.diagnosis, picture.patient)}",)


def cancer(picture: Picture, chosen: tuple[Diagnosis, ...] = ()) -> tuple[str, ...]:
    """The cancer, with what makes it active; ``chosen`` picks the diagnosis that matters to the rule."""
    found = chosen or picture.cancer.diagnoses
    if not found:
        return ()
    line = f"Cancer: {wording.diagnosis(found[0], picture.patient)}"
    if picture.cancer.metastatic and not found[0].means("malignancy", "metastatic"):
        line += "; metastatic"
    names = sorted({m.drug.name for m in picture.cancer.treatments if m.drug})
    if names:
        line += f"; treated with {wording.listed(names[:3])}"
    return (line,)


def both(picture: Picture, chosen: tuple[Diagnosis, ...] = ()) -> tuple[str, ...]:
    """Clot and cancer."""
    return (*clot(picture), *cancer(picture, chosen))


def platelets(picture: Picture) -> str:
    """The platelet count with date."""
    return _capital(shown(picture.platelets, "× 10⁹/L"))


def clearance(picture: Picture) -> str:
    """The clearance with what it was computed from."""
    words = picture.clearance.words
    if picture.clearance.ml_min is None:
        return _capital(words)
    creatinine = shown(picture.creatinine, "mg/dL", 2)
    weight = shown(picture.weight, "kg")
    return _capital(f"{words} (Cockcroft-Gault: {creatinine}; {weight})")


def weight(picture: Picture) -> str:
    """The weight with date."""
    return _capital(shown(picture.weight, "kg"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
