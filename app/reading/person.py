"""The Patient resource: sex, and whether the patient has died."""

from app.reading.elements import Resource, codings, objects, string, truth
from hooks.facts import Sex

_CODES: dict[str, Sex] = {
    **dict.fromkeys(("female", "f", "248152002", "female-typical"), "female"),
    **dict.fromkeys(("male", "m", "248153007", "male-typical"), "male"),
}
_EXTENSIONS = ("sexparameterforclinicaluse", "birthsex", "us-core-sex")
_FOLLOWED = 4


def read_sex(person: Resource) -> Sex | None:
    """The sex for clinical use, else at birth, by its extension, else ``gender``; None if other or unknown."""
    extensions = objects(person.get("extension"))
    for name in _EXTENSIONS:
        for extension in extensions:
            if name in string(extension.get("url")).lower():
                found = _sex_in(extension, _FOLLOWED)
                if found is not None:
                    return found
    return _CODES.get(string(person.get("gender")).lower())


def _sex_in(extension: Resource, deep: int) -> Sex | None:
    concept = extension.get("valueCodeableConcept") or extension.get("valueCoding")
    words = [string(extension.get("valueCode")), *(code for _, code, _ in codings(concept))]
    found = next((_CODES[word.lower()] for word in words if word.lower() in _CODES), None)
    if found is not None or not deep:
        return found
    inner = (_sex_in(one, deep - 1) for one in objects(extension.get("extension")))
    return next((sex for sex in inner if sex is not None), None)


def is_deceased(person: Resource) -> bool:
    """Whether the record says that the patient has died; any ``deceasedDateTime`` says so."""
    return truth(person.get("deceasedBoolean")) or bool(string(person.get("deceasedDateTime")))
