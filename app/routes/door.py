"""What holds for every address: errors as OperationOutcome, CORS, the Host of a demo, what a JSON body is."""

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import flask
import orjson
import structlog
from flask_cors import CORS
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from app import audit, wire
from app.errors import (
    BadRequestError,
    CallError,
    MisdirectedError,
    RefusedError,
    TooLargeError,
    UnforeseenError,
    UnknownPathError,
    WrongMediaTypeError,
    WrongMethodError,
)
from app.fhir_client import is_loopback

LOOPBACK_ORIGINS = re.compile(r"https?://(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?\Z")

_JSON_TYPES = frozenset({"application/json", "application/fhir+json"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def furnish(
    app: flask.Flask, *, origins: Sequence[str | re.Pattern[str]], loopback_only: bool, new_id: Callable[[], str]
) -> None:
    """Give ``app`` its manners. ``origins`` may call from a browser; ``loopback_only`` refuses other Hosts."""
    app.url_map.strict_slashes = False

    @app.before_request
    def open_door() -> None:
        flask.g.correlation_id = new_id()
        if loopback_only and not is_loopback(urlsplit(f"//{flask.request.host}").hostname or ""):
            raise MisdirectedError("This demo answers on this machine only.")

    @app.after_request
    def close_door(answer: flask.Response) -> flask.Response:
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        return answer

    app.register_error_handler(CallError, _refusal)
    app.register_error_handler(HTTPException, _http_refusal)
    app.register_error_handler(Exception, _failure)
    CORS(
        app,
        origins=[re.compile(re.escape(one) + r"\Z") if isinstance(one, str) else one for one in origins],
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type"],
        allow_private_network=True,
        max_age=600,
    )


def _refusal(error: CallError) -> flask.Response:
    correlation_id = flask.g.get("correlation_id", "")
    outcome = wire.operation_outcome(
        code=error.code,
        text=error.text,
        diagnostics=error.diagnostics,
        expression=error.expression,
        correlation_id=correlation_id,
    )
    answer = flask.Response(orjson.dumps(outcome), status=error.status, content_type="application/fhir+json")
    answer.headers.update(error.headers)
    return answer


def _http_refusal(error: HTTPException) -> flask.Response | HTTPException:
    """What the framework refuses, in the same form."""
    if isinstance(error, RequestRedirect):
        return error
    if isinstance(error, NotFound):
        return _refusal(UnknownPathError("Nothing is served at this address."))
    if isinstance(error, MethodNotAllowed):
        return _refusal(WrongMethodError(tuple(sorted(error.valid_methods or ()))))
    if isinstance(error, RequestEntityTooLarge):
        return _refusal(TooLargeError("The body is too long."))
    status = error.code or UnforeseenError.status
    return _refusal(RefusedError(status) if status < UnforeseenError.status else UnforeseenError())


def _failure(error: Exception) -> flask.Response:
    """Anything unforeseen: the log gets kind and place, the caller the correlation id."""
    correlation_id = flask.g.get("correlation_id", "")
    structlog.get_logger("cat_cds").error("failed", correlation_id=correlation_id, error=audit.unforeseen(error))
    return _refusal(UnforeseenError())


def json_body() -> bytes:
    """The body of the request at hand, once it is known to be JSON by its declaration."""
    request = flask.request
    longest: int = flask.current_app.config["MAX_CONTENT_LENGTH"]
    if (request.content_length or 0) > longest:
        raise TooLargeError("The body is too long.")
    request.max_content_length = longest + 1  # a body in pieces is cut off there, silently
    body = request.get_data(cache=False)
    if len(body) > longest:
        raise TooLargeError("The body is too long.")
    if not body:
        raise BadRequestError("The request has no body.")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype not in _JSON_TYPES or charset not in _CHARSETS or encoding != "identity":
        raise WrongMediaTypeError("The body must be JSON in UTF-8.", diagnostics="Use Content-Type: application/json.")
    return body
