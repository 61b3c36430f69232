"""Answers of the HTTP server itself, without the application: OperationOutcome, nothing in it from the request."""

import secrets
from http import HTTPStatus

import orjson
from gunicorn.http import errors

from app import wire
from app.errors import CallError, RefusedError, UnavailableError, UnforeseenError

_STATUS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


def busy() -> CallError:
    """The refusal of a request that would have to wait too long."""
    return UnavailableError("The service has more requests than it can answer now.")


def refusal_of(fault: BaseException) -> CallError:
    """What to tell of a request that the HTTP layer could not read, or failed at."""
    if isinstance(fault, CallError):
        return fault
    if not isinstance(fault, errors.ParseException):
        return UnforeseenError()
    status = next((one for known, one in _STATUS.items() if isinstance(fault, known)), HTTPStatus.BAD_REQUEST)
    return RefusedError(status)


def answer(refusal: CallError, *, close: bool = True, body: bool = True) -> bytes:
    """A whole answer, as it goes over the wire. ``close`` announces that the connection ends."""
    outcome = wire.operation_outcome(
        code=refusal.code, text=refusal.text, diagnostics="", expression=(), correlation_id=secrets.token_hex(16)
    )
    content = orjson.dumps(outcome)
    headers = {
        "Connection": "close" if close else "keep-alive",
        "Content-Type": "application/fhir+json",
        "Cache-Control": "no-store",
        "Content-Length": str(len(content)),
        **refusal.headers,
    }
    status = HTTPStatus(refusal.status)
    lines = [f"HTTP/1.1 {int(status)} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (content if body else b"")
