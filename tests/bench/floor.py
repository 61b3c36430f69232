"""The floor of the bench: a bare Flask route that parses the body and answers a constant card, under our own server."""

from __future__ import annotations

import click
import flask
import orjson

from app.cli import serve
from app.settings import Settings

CARD = {"cards": [{"summary": "A constant card.", "indicator": "info", "source": {"label": "bench"}}]}


class _Nothing:
    """What is closed when a worker ends."""

    def close(self) -> None:
        """Nothing is queued."""


def floor() -> flask.Flask:
    """What no CDS Hooks service in Flask can do without."""
    bare = flask.Flask(__name__, static_folder=None)
    bare.extensions["cat-cds"] = _Nothing()

    @bare.get("/health/live")
    def live() -> str:
        return "live"

    @bare.post("/cds-services/<service_id>")
    def call(service_id: str) -> flask.Response:
        orjson.loads(flask.request.get_data(cache=False))
        return flask.Response(orjson.dumps(CARD), mimetype="application/json")

    return bare


@click.command()
@click.option("--port", type=int, required=True)
def main(port: int) -> None:
    """Serve the floor as `cat-cds serve --demo --workers 1` serves the service."""
    serve.answer(floor(), serve.listen("127.0.0.1", port), Settings(demo=True, workers=1))


if __name__ == "__main__":
    main()
