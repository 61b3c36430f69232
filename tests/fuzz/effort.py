"""How much is tried: a fixed number of inputs in the suite, as many as fit into FUZZ_SECONDS with ``make fuzz``."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 100 if SECONDS else 20
"""Of schemathesis and hypothesis, for each address or property."""


@dataclass
class Tried:
    """The inputs tried so far, by the status of the answer."""

    statuses: Counter[int] = field(default_factory=Counter)

    def count(self, status: int) -> None:
        """Count one input."""
        self.statuses[status] += 1

    def __str__(self) -> str:
        told = ", ".join(f"{number} x {status}" for status, number in sorted(self.statuses.items()))
        return f"{self.statuses.total()} inputs ({told})"


def seeds(number: int, share: float) -> Iterator[int]:
    """Seeds from 0 on: ``number`` of them, or for a ``share`` of the seconds that were given."""
    end = time.monotonic() + SECONDS * share
    seed = 0
    while time.monotonic() < end if SECONDS else seed < number:
        yield seed
        seed += 1
