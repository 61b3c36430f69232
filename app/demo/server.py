"""The demo FHIR server: a read-only FHIR R4 server of the fixture patients, as one Flask blueprint."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import flask
import orjson

from app.demo.capability import capability_statement
from app.demo.charts import Charts
from app.demo.dates import Resource
from app.demo.outcome import Refusal, not_found, not_understood, read_only
from app.demo.search import search

_FHIR_JSON = "application/fhir+json"
_FORMATS = frozenset({"json", "application/json", _FHIR_JSON})
_CHANGES = ["POST", "PUT", "PATCH", "DELETE"]


def blueprint(fixtures: Path, today: Callable[[], date]) -> flask.Blueprint:
    """The FHIR R4 server of the charts in the folder ``fixtures``, at ``/fhir``, dated as if written on ``today()``.

    Nothing is read from disk before the first request for it. ``fixtures`` holds ``<patient id>.json`` and
    ``anchor.toml``.
    """
    charts = Charts(folder=fixtures, today=today)
    routes = flask.Blueprint("demo_fhir", __name__, url_prefix="/fhir")

    @routes.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> flask.Response:
        answer = _answer(refusal.outcome, refusal.status)
        if refusal.status == read_only().status:
            answer.headers["Allow"] = "GET, HEAD, OPTIONS"
        return answer

    @routes.before_request
    def check_format() -> None:
        wanted = flask.request.args.get("_format")
        if wanted is not None and wanted.replace(" ", "+") not in _FORMATS:
            raise Refusal(status=406, code="not-supported", words="this server speaks JSON only")

    @routes.get("/metadata")
    def metadata() -> flask.Response:
        return _answer(capability_statement(_base(), today()))

    @routes.get("/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> flask.Response:
        resource = charts.find(resource_type, resource_id)
        if resource is None:
            raise not_found("there is no such resource")
        return _answer(resource)

    @routes.get("/<resource_type>")
    def search_by_get(resource_type: str) -> flask.Response:
        return _answer(_search(charts, resource_type, list(flask.request.args.items(multi=True))))

    @routes.post("/<resource_type>/_search")
    def search_by_post(resource_type: str) -> flask.Response:
        if flask.request.mimetype not in {"application/x-www-form-urlencoded", ""}:
            raise Refusal(status=415, code="not-supported", words="_search takes application/x-www-form-urlencoded")
        pairs = [*flask.request.args.items(multi=True), *flask.request.form.items(multi=True)]
        return _answer(_search(charts, resource_type, pairs))

    @routes.route("/", methods=_CHANGES)
    @routes.route("/<path:rest>", methods=_CHANGES)
    def change(rest: str = "") -> flask.Response:
        raise read_only()

    @routes.get("/")
    @routes.get("/<path:rest>")
    def unknown(rest: str = "") -> flask.Response:
        raise not_found("nothing is served at this address")

    return routes


def _search(charts: Charts, resource_type: str, pairs: list[tuple[str, str]]) -> Resource:
    handling = flask.request.headers.get("Prefer", "")
    if any("\x00" in text for pair in pairs for text in pair):
        raise not_understood("a search parameter has a value that is not understood")
    return search(charts, resource_type, pairs, base=_base(), strict="handling=strict" in handling.replace(" ", ""))


def _base() -> str:
    return flask.request.root_url.rstrip("/") + "/fhir"


def _answer(resource: Resource, status: int = 200) -> flask.Response:
    return flask.Response(orjson.dumps(resource), status=status, content_type=f"{_FHIR_JSON}; charset=utf-8")
