"""What was measured, against what it may take at most: one line each, met or not met."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``taken`` may be ``times`` the ``measure`` plus ``allowance`` at most; all in milliseconds, medians compared."""

    name: str
    measure_name: str
    taken: Sequence[float]
    measure: Sequence[float]
    times: float
    allowance: float = 0.0

    @property
    def limit(self) -> float:
        """What it may take at most, in milliseconds."""
        return self.times * median(self.measure) + self.allowance

    @property
    def met(self) -> bool:
        """Whether it keeps within the limit."""
        return median(self.taken) <= self.limit

    @property
    def ratio(self) -> float:
        """How many times the measure it takes, the allowance taken off first."""
        return (median(self.taken) - self.allowance) / median(self.measure)

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        allowed = f"{self.times:g} x {self.measure_name}" + (f" + {self.allowance:g} ms" if self.allowance else "")
        return (
            self.name,
            f"{median(self.taken):.1f} ms",
            f"{p95(self.taken):.1f} ms",
            f"{median(self.measure):.1f} ms",
            f"{self.ratio:.2f}",
            f"{allowed} = {self.limit:.1f} ms",
            "met" if self.met else "NOT MET",
        )


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    return quantiles(values, n=20, method="inclusive")[-1]
