"""gunicorn's log, made to say nothing of what came: a bad request may hold anything."""

import sys

import structlog
from gunicorn.glogging import Logger

from app import audit


class QuietLog(Logger):
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
