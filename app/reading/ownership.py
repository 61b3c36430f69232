"""Whose a resource is: only data about the patient in context counts."""

from collections.abc import Container

from app.reading.elements import Resource, items, read_reference

_HOLDERS = ("subject", "patient")


def belongs(resource: Resource, patient_id: str, other_names: Container[str] = ()) -> bool:
    """Whether a resource is about the patient, or does not say whose it is (it came under a search for the patient).

    ``other_names`` are UUIDs by which the Bundles at hand know the patient.
    """
    for name in _HOLDERS:
        holder = resource.get(name)
        if holder is None:
            continue
        if isinstance(holder, dict) and holder.get("reference") == "Patient/" + patient_id:
            return True
        for one in items(holder):
            pointer = read_reference(one)
            if pointer is None:
                if one.get("reference") if isinstance(one, dict) else one:
                    return False
                continue
            known = pointer.id == patient_id or (not pointer.kind and pointer.id in other_names)
            if not known or pointer.kind not in ("Patient", ""):
                return False
    return True
