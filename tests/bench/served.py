"""What the servers of `make bench-servers` serve: ``app`` is the service in demo mode or a bare Flask route.

``BENCH_APP`` names which; the service keeps its store where ``CAT_CDS_STATE_DIR`` says.
"""

from __future__ import annotations

import os

import flask

from app import audit, create_app
from app.cli.serve import settle_memory
from app.demo import anchor
from app.settings import load
from tests.bench.calls import FIXTURES
from tests.bench.floor import floor


def service() -> flask.Flask:
    """The service in demo mode on the day of its patients, with all rules, log and counters."""
    audit.configure("info")
    day = anchor(FIXTURES)
    return create_app(load(demo=True, fixtures=FIXTURES), today=lambda _zone: day)


app = service() if os.environ.get("BENCH_APP") == "service" else floor()
settle_memory()
