"""The addresses of the service: discovery, the hook calls, feedback, its health."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import flask
import orjson

from app import audit, sources, wire
from app.audit import CallLog
from app.errors import CallError, NotAllowedError, NotAuthenticatedError, UnavailableError, UnforeseenError
from app.routes.call import Parts, answer
from app.routes.door import json_body
from app.routes.feedback import receive
from hooks.services import SERVICES, with_id

__all__ = ["Parts", "blueprint"]


def blueprint(parts: Parts) -> flask.Blueprint:
    """Discovery, the hook calls, feedback and the health of the service."""
    routes = flask.Blueprint("cds", __name__)

    @routes.get("/cds-services")
    def discovery() -> flask.Response:
        return _json(_discovery(parts))

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> flask.Response:
        with _logged(parts, service_id) as log:
            return _json(answer(parts, service_id, flask.request.headers.get("Authorization"), json_body, log))

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> flask.Response:
        with _logged(parts, service_id) as log:
            receive(parts, service_id, flask.request.headers.get("Authorization"), json_body, log)
        return flask.Response(status=200)

    @routes.get("/health/live")
    def live() -> flask.Response:
        return _json({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> flask.Response:
        return _json(_readiness(parts))

    return routes


def _discovery(parts: Parts) -> wire.Json:
    """What is offered, with the caller's own templates when a valid token came."""
    rows = parts.sources
    header = flask.request.headers.get("Authorization")
    if header:
        with suppress(NotAuthenticatedError, NotAllowedError, UnavailableError):
            rows = sources.for_caller(rows, parts.verify(header, f"{parts.settings.public_url}/cds-services").prefetch)
    templates = {row.key: row.template for row in rows}
    return wire.discovery(
        SERVICES,
        public_url=parts.settings.public_url,
        prefetch={service.id: templates for service in SERVICES},
        version=parts.settings.spec_version,
    )


def _readiness(parts: Parts) -> wire.Json:
    """The knowledge that is loaded, and the profiles in it whose review is overdue."""
    today = parts.today(parts.settings.timezone)
    overdue = sorted(name for name, one in parts.knowledge.profiles.items() if one.next_review < today)
    warnings = [f"profile {name}: review overdue" for name in overdue]
    if not parts.ledger.database.is_reachable():
        warnings.append("store: no answer")
    if parts.ledger.notes.dropped:
        warnings.append(f"store: {parts.ledger.notes.dropped} notes of this worker dropped")
    return {"status": "ready", "knowledge": parts.knowledge.version, **({"warnings": warnings} if warnings else {})}


@contextmanager
def _logged(parts: Parts, service_id: str) -> Iterator[CallLog]:
    """One line for the call, whatever becomes of it."""
    log = CallLog(correlation_id=flask.g.correlation_id, service=service_id if with_id(service_id) else "unknown")
    started = parts.clock()
    try:
        yield log
        log.status = 200
    except CallError as refusal:
        log.status = refusal.status
        if isinstance(refusal, NotAuthenticatedError):
            log.cause = refusal.cause
        raise
    except Exception as error:
        log.status, log.error = UnforeseenError.status, audit.unforeseen(error)
        raise
    finally:
        log.ms["total"] = round((parts.clock() - started) * 1000, 1)
        parts.write(log)


def _json(content: wire.Json) -> flask.Response:
    return flask.Response(orjson.dumps(content), mimetype="application/json")
