"""Answers of the HTTP server itself, without the application: OperationOutcome, nothing in it from the request."""

import secrets
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

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


class Body:
    """``wsgi.input``: gunicorn's reader of a body; what is no HTTP in it is refused as a head that is none."""

    def __init__(self, body: Any) -> None:  # noqa: ANN401 - gunicorn has several kinds
        self._body = body

    def read(self, *size: int) -> bytes:
        """So many bytes, or all that there are.

        Raises:
            CallError: the pieces of the body do not follow HTTP.
        """
        return bytes(_refusing(self._body.read, *size))

    def readline(self, *size: int) -> bytes:
        """The next line; see ``read``."""
        return bytes(_refusing(self._body.readline, *size))

    def readlines(self, *size: int) -> list[bytes]:
        """The lines; see ``read``."""
        return list(_refusing(self._body.readlines, *size))

    def __iter__(self) -> Iterator[bytes]:
        """The lines, one by one."""
        return iter(self.readline, b"")


def _refusing(read: Callable[..., Any], *size: int) -> Any:  # noqa: ANN401 - bytes, or a list of them
    try:
        return read(*size)
    except errors.ParseException as fault:
        raise refusal_of(fault) from None


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
