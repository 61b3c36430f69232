"""What the servers of `make bench-servers` serve: ``app`` is the service in demo mode or a bare Flask route.

``BENCH_APP`` names which; the service keeps its store where ``CAT_CDS_STATE_DIR`` says.
"""

from __future__ import annotations

import os

import flask
import orjson

from app import audit, create_app
from app.cli.serve import settle_memory
from app.demo import anchor
from app.settings import load
from tests.bench.__main__ import FIXTURES

CARD = {"cards": [{"summary": "A constant card.", "indicator": "info", "source": {"label": "bench"}}]}


def floor() -> flask.Flask:
    """Parses the body and answers a constant card: what no CDS Hooks service in Flask can do without."""
    bare = flask.Flask(__name__)

    @bare.post("/cds-services/<service_id>")
    def call(service_id: str) -> flask.Response:
        orjson.loads(flask.request.get_data())
        return flask.Response(orjson.dumps(CARD), mimetype="application/json")

    return bare


def service() -> flask.Flask:
    """The service in demo mode on the day of its patients, with all rules, log and counters."""
    audit.configure("info")
    day = anchor(FIXTURES)
    return create_app(load(demo=True, fixtures=FIXTURES), today=lambda _zone: day)


app = service() if os.environ.get("BENCH_APP") == "service" else floor()
settle_memory()
