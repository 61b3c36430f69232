"""The JSON of a request body, taken apart only as far as somebody looks.

A chart under ``prefetch`` is by far the longest part of a body, and many calls are answered without a look at it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

import msgspec
import orjson

from app.errors import BadRequestError


class _AsSent(TypedDict, total=False):
    """The members of a call, each still as it was sent."""

    hook: msgspec.Raw
    hookInstance: msgspec.Raw
    context: msgspec.Raw
    fhirServer: msgspec.Raw
    fhirAuthorization: msgspec.Raw
    prefetch: dict[str, msgspec.Raw]


_AS_SENT = msgspec.json.Decoder(_AsSent)


@dataclass(frozen=True, slots=True)
class Prefetch(Mapping[str, Any]):
    """What a call brings along, by key; each is parsed when it is first looked at."""

    as_sent: Mapping[str, msgspec.Raw]
    _parsed: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON under ``key``.

        Raises:
            BadRequestError: it cannot be read.
        """
        if key not in self._parsed:
            try:
                self._parsed[key] = orjson.loads(memoryview(self.as_sent[key]))
            except orjson.JSONDecodeError as error:
                raise _not_json(error, within=f"prefetch.{key}") from None
        return self._parsed[key]

    def __contains__(self, key: object) -> bool:
        """Whether it was sent."""
        return key in self.as_sent

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order in which they came."""
        return iter(self.as_sent)

    def __len__(self) -> int:
        """How many keys were sent."""
        return len(self.as_sent)


def read_call(body: bytes) -> Mapping[str, Any]:
    """The members of a call that are read, ``prefetch`` among them; of a name that stands twice the last counts.

    Raises:
        BadRequestError: not JSON, or not an object.
    """
    try:
        if not body.isascii():
            body.decode()  # the parts that nobody looks at, too
        sent = _AS_SENT.decode(body)
        prefetch = sent.pop("prefetch", None)
        members = {name: orjson.loads(memoryview(raw)) for name, raw in cast("dict[str, msgspec.Raw]", sent).items()}
    except (msgspec.MsgspecError, orjson.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return read_json(body)  # which tells what is wrong, and where
    return members if prefetch is None else members | {"prefetch": Prefetch(prefetch)}


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``; of a name that stands twice in one object the last counts.

    Raises:
        BadRequestError: not JSON, or not an object.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(error) from None
    if not isinstance(content, dict):
        raise BadRequestError("The body must be one JSON object.")
    return content


def _not_json(error: orjson.JSONDecodeError, within: str = "") -> BadRequestError:
    place = f"line {error.lineno}, column {error.colno}{' of it' if within else ''}"
    return BadRequestError("The body is not valid JSON.", diagnostics=place, expression=(within,) if within else ())
