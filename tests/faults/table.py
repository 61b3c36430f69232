"""All rows of the fault table."""

from __future__ import annotations

from tests.faults import clocks, fhir_server, key_server, store
from tests.faults.fault import Fault
from tests.faults.sites import Sites

GROUPS = {
    "FHIR server": (
        "Drafts of apixaban are signed and nothing is in prefetch: ten searches and reads a call. After five calls "
        "without any answer the server is left alone, then tried by one call."
    ),
    "key server (JWKS)": "The client's keys are at an address. Keys that were read once serve for a day.",
    "SQLite": "A listed client; all data is in prefetch.",
    "PostgreSQL": "The same with a PostgreSQL server, which is stopped.",
    "clocks": "Waiting is counted on a clock that nobody sets; wall clock and date are for tokens and treatment days.",
}


def table(sites: Sites | None) -> list[Fault]:
    """The rows; to be read only, without sites to play them on."""
    some = sites or Sites.none()
    return [row for part in (fhir_server, key_server, store, clocks) for row in part.rows(some)]
