"""What the demo FHIR server says about itself at ``/metadata``."""

from datetime import date

from app.demo.dates import Resource
from app.demo.parameters import PARAMETERS

_INCLUDES = {"MedicationRequest": ["MedicationRequest:medication", "MedicationRequest:patient"]}


def capability_statement(base: str, day: date) -> Resource:
    """The CapabilityStatement of the server at ``base`` on ``day``."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": day.isoformat(),
        "kind": "instance",
        "software": {"name": "cat-cds demo FHIR server"},
        "implementation": {"description": "Invented patients, dated around today; read-only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{"mode": "server", "resource": [_resource(name) for name in PARAMETERS]}],
    }


def _resource(resource_type: str) -> Resource:
    described: Resource = {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": name, "type": row.kind} for name, row in PARAMETERS[resource_type].items()],
    }
    if resource_type in _INCLUDES:
        described["searchInclude"] = _INCLUDES[resource_type]
    return described
