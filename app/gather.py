"""Prefetch first; the rest is fetched in parallel before one deadline. The result is what each key gave."""

from dataclasses import dataclass
from typing import Any, Literal

from hooks.facts import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What could be had of one kind of record.

    ``gap`` is set when it could not be had, or not all of it; ``resources`` then hold what there is.
    """

    key: str
    resources: tuple[dict[str, Any], ...] = ()
    gap: Gap | None = None
    origin: Literal["prefetch", "fetched", "none"] = "none"
