"""The address of the OpenAPI description, open to everybody."""

import flask
import orjson

from app import openapi
from app.settings import Settings


def blueprint(settings: Settings) -> flask.Blueprint:
    """``/openapi.json``, the same for all callers."""
    routes = flask.Blueprint("description", __name__)
    text = orjson.dumps(openapi.document(settings.public_url, demo=settings.demo))

    @routes.get("/openapi.json")
    def describe() -> flask.Response:
        return flask.Response(text, mimetype="application/json")

    return routes
