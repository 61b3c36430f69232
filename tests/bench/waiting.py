"""Calls whose data come from a FHIR server that takes its time, against its slowest answer.

Order hooks ask for everything at once. Patient-view asks in two waves: what it does not need it does not read.
"""

from __future__ import annotations

import statistics

import orjson
import requests

from tests.bench import calls
from tests.bench.inside import Bench, by_turns, post
from tests.bench.rows import Row
from tests.bench.slow_fhir import ANSWER_SECONDS, slow_fhir

RUNS = 30
FIXED_MS = 10.0
ALLOWED = {"one wave": 1.2, "two waves": 2.2}
ASKED = (("order-select", "dalteparin:15000"), ("order-select", "apixaban"), ("patient-view", None))


def waiting(here: Bench) -> list[Row]:
    """A row for each call. The limit is a multiple of the slowest answer, and a fixed time for order hooks."""
    queries = {
        template.replace("{{context.patientId}}", calls.PATIENT)
        for service in here.services.values()
        for template in service["prefetch"].values()
    }
    reader = here.app.test_client()
    rows = []
    with slow_fhir({query: reader.get(f"/fhir/{query}").data for query in queries}, ANSWER_SECONDS) as base:
        with requests.Session() as session:
            alone = by_turns([lambda query=query: session.get(f"{base}/{query}", timeout=10) for query in queries], 5)
        slowest = max(statistics.median(times) for times in alone)
        for hook, order in ASKED:
            service = here.services[hook]
            request = calls.call(service, here.day, *([order] if order else [])) | {"fhirServer": base}
            path, body = f"/cds-services/{service['id']}", orjson.dumps(request)
            cards = len(orjson.loads(post(here.app.wsgi_app, path, body))["cards"])
            [times] = by_turns([lambda path=path, body=body: post(here.app.wsgi_app, path, body)], RUNS)
            waves = "one wave" if order else "two waves"
            limit = ALLOWED[waves] * slowest + (FIXED_MS if order else 0)
            what = f"{hook}{' ' + order if order else ''}, nothing prefetched, {waves}, {cards} cards"
            rows.append(Row(what=what, numbers=times, floor=slowest, limit=limit))
    return rows
