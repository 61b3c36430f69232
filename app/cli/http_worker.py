"""gunicorn's worker and log, made to say nothing of what came: a bad request may hold anything."""

import secrets
import sys
from http import HTTPStatus

import orjson
import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from app import audit, wire
from app.errors import RefusedError, UnforeseenError

_STATUS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


def bad_request(kind: type[BaseException]) -> tuple[HTTPStatus, bytes]:
    """Status and body for what the HTTP layer could not read, or failed at. Nothing in it comes from the request."""
    is_theirs = issubclass(kind, errors.ParseException)
    status = next((one for known, one in _STATUS.items() if issubclass(kind, known)), HTTPStatus.BAD_REQUEST)
    refusal = RefusedError(status) if is_theirs else UnforeseenError()
    outcome = wire.operation_outcome(
        code=refusal.code, text=refusal.text, diagnostics="", expression=(), correlation_id=secrets.token_hex(16)
    )
    return HTTPStatus(refusal.status), orjson.dumps(outcome)


class QuietWorker(ThreadWorker):  # type: ignore[misc]
    """Answers what is no HTTP request with an OperationOutcome; the log gets the kind of fault only."""

    def handle_error(self, req: object, client: object, addr: object, exc: BaseException) -> None:
        """Answer a request that could not be read."""
        status, body = bad_request(type(exc))
        structlog.get_logger("cat_cds").warning("bad request", status=int(status), error=audit.unforeseen(exc))
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\nConnection: close\r\nContent-Type: application/fhir+json\r\n"
            f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode() + body)  # type: ignore[attr-defined]
        except OSError:
            self.log.debug("The caller was gone.")


class QuietLog(Logger):  # type: ignore[misc]
    """Lines of gunicorn as JSON like all others; of exceptions kind and place, never their words."""

    def exception(self, msg: object, *args: object, **kwargs: object) -> None:
        """An exception of the HTTP server itself."""
        error = sys.exc_info()[1]
        structlog.get_logger("cat_cds").error("server", error=audit.unforeseen(error) if error else "")

    def critical(self, msg: object, *args: object, **kwargs: object) -> None:
        """Something that ends a worker."""
        structlog.get_logger("cat_cds").critical("server", words=_first_line(msg, args))

    def error(self, msg: object, *args: object, **kwargs: object) -> None:
        """Something that went wrong with a worker."""
        structlog.get_logger("cat_cds").error("server", words=_first_line(msg, args))

    def warning(self, msg: object, *args: object, **kwargs: object) -> None:
        """Something odd about a worker."""
        structlog.get_logger("cat_cds").warning("server", words=_first_line(msg, args))


def _first_line(msg: object, args: tuple[object, ...]) -> str:
    """The words without what follows a line break, where gunicorn puts traces."""
    words = str(msg).partition("\n")[0]
    return words % args[: words.count("%")] if args and words.count("%") <= len(args) else words
