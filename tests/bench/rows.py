"""A measurement beside its floor, and the tables of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

WIDTH = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what, its numbers, the number of the floor, and the ratio that is allowed, if there is a target.

    ``more_is_better`` for requests per second; else the numbers are milliseconds (or what ``unit`` says).
    ``limit`` is in the unit of the numbers.
    """

    what: str
    numbers: Sequence[float]
    floor: float
    limit: float | None = None
    more_is_better: bool = False
    places: int = 2

    @property
    def median(self) -> float:
        return statistics.median(self.numbers)

    @property
    def is_missed(self) -> bool:
        if self.limit is None:
            return False
        return self.median < self.limit if self.more_is_better else self.median > self.limit

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.numbers, n=20)[-1] if len(self.numbers) > 1 else self.numbers[0]

    def cells(self) -> list[str]:
        """What stands in the table."""
        verdict = "" if self.limit is None else "MISSED" if self.is_missed else "met"
        shown = [self._shown(one) for one in (self.floor, self.median)]
        spread = "" if self.more_is_better else self._shown(self.p95)
        ratio = f"{self.median / self.floor:.2f}"
        return [self.what, *shown, spread, ratio, "" if self.limit is None else self._shown(self.limit), verdict]

    def _shown(self, number: float) -> str:
        return f"{number:.{self.places}f}"


def show(title: str, rows: Sequence[Row], unit: str, explanation: str) -> None:
    """Print a table of rows, and what its floor is."""
    p95 = "" if all(row.more_is_better for row in rows) else "p95"
    table = Table(unit, "floor", "median", p95, "ratio", "limit", "target", title=title, title_justify="left")
    for row in rows:
        table.add_row(*row.cells())
    console = Console(width=WIDTH)
    console.print(table)
    console.print(explanation, highlight=False)
    console.print()


def show_plain(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]], explanation: str) -> None:
    """Print a table without targets."""
    table = Table(*heads, title=title, title_justify="left")
    for line in lines:
        table.add_row(*line)
    console = Console(width=WIDTH)
    console.print(table)
    console.print(explanation, highlight=False)
    console.print()
