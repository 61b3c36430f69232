"""One JSON line per call. ``CallLog`` is the list of fields that may be logged: there is no other way in.

Nothing here may come from the record: no patient id, name, value, text, token or address.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
import structlog


@dataclass(slots=True, kw_only=True)
class CallLog:
    """What is told of one call.

    ``hook_instance`` is given only when it is a UUID. ``ms`` holds milliseconds by stage; ``origins`` says of each
    prefetch key whether it came by prefetch or fetch; ``gaps`` are keys that could not be had; ``rules`` are
    "code:indicator" of the cards; ``broken_rules`` those that raised; ``dropped`` counts resources of other patients.
    ``cause`` is one word of ours on why the caller was not believed; ``profile`` the guideline that was followed.
    ``silent_rules`` and ``held_rules`` are those whose cards were kept back (silent mode, repeat-alert control);
    ``feedback`` counts what became of cards: accepted, overridden, or unmatched when the card is none of ours.
    ``error`` is the kind of an unforeseen exception and the place in our code, never its words.
    """

    correlation_id: str
    service: str
    hook: str = ""
    client: str = ""
    tenant: str = ""
    hook_instance: str = ""
    profile: str = ""
    cause: str = ""
    status: int = 0
    silence: str = ""
    ms: dict[str, float] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    silent_rules: list[str] = field(default_factory=list)
    held_rules: list[str] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)
    feedback: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    warnings: list[str] = field(default_factory=list)
    error: str = ""


Write = Callable[[CallLog], None]

_FIELDS = tuple(one.name for one in fields(CallLog))


def write(log: CallLog) -> None:
    """Put a call into the log."""
    structlog.get_logger("cat_cds").info("call", **_filled(log))


def unforeseen(error: BaseException) -> str:
    """Kind and place of an exception, innermost frame last; its words may hold patient data and stay out."""
    places = []
    frame = error.__traceback__
    while frame is not None:
        places.append(f"{frame.tb_frame.f_globals.get('__name__', '?')}:{frame.tb_lineno}")
        frame = frame.tb_next
    return f"{type(error).__name__} at {' '.join(places[-4:])}"


def configure(level: str) -> None:
    """Send log lines of ``level`` and above to standard error, one JSON object each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger().handlers = [_Libraries()]
    threading.excepthook = _broken_thread


def _json(event: dict[str, Any], **_: object) -> str:
    """A line of JSON, plain ASCII where a text holds something that splits lines or is no text at all."""
    try:
        line = orjson.dumps(event, default=repr).decode()
    except TypeError:
        return json.dumps(event, default=repr)
    return line if line.isascii() else json.dumps(event, default=repr)


class _Libraries(logging.Handler):
    """What libraries log: who and where only, since their words may hold addresses with ids in them."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            place = f"{record.name}:{record.lineno}"
            structlog.get_logger("cat_cds").warning("library", severity=record.levelname.lower(), place=place)


def _broken_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        structlog.get_logger("cat_cds").error("thread ended", error=unforeseen(given.exc_value))


def _filled(log: CallLog) -> dict[str, Any]:
    """The fields that say something; the status always."""
    return {name: value for name in _FIELDS if (value := getattr(log, name)) or name == "status"}
