"""Days that may be known only to the month or year, and how far apart they are."""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PartialDate:
    """A calendar date that may be known only to the month or year: the range of days it can be.

    ``2026-03`` is 2026-03-01 … 2026-03-31. FHIR R4 ``dateTime`` allows this precision.
    """

    earliest: date
    latest: date

    @property
    def is_exact(self) -> bool:
        """Whether the day is known."""
        return self.earliest == self.latest

    def days_before(self, day: date) -> "DayRange":
        """How many days before ``day`` this date lies (negative: after it)."""
        return DayRange(fewest=(day - self.latest).days, most=(day - self.earliest).days)

    def __str__(self) -> str:
        if self.is_exact:
            return self.earliest.isoformat()
        next_day = self.latest + timedelta(days=1)
        if self.earliest.day == 1 and next_day.day == 1:
            if self.earliest.month == 1 and next_day == date(self.earliest.year + 1, 1, 1):
                return f"{self.earliest:%Y}"
            if (self.earliest.year, self.earliest.month) == (self.latest.year, self.latest.month):
                return f"{self.earliest:%Y-%m}"
        return f"{self.earliest.isoformat()} to {self.latest.isoformat()}"

    @classmethod
    def on(cls, day: date) -> "PartialDate":
        """The exactly known ``day``."""
        return cls(earliest=day, latest=day)

    def plus(self, days: int) -> "PartialDate":
        """This date moved by a number of days."""
        shift = timedelta(days=days)
        return PartialDate(earliest=self.earliest + shift, latest=self.latest + shift)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRange:
    """A number of days that is known only as a range, because a date was partial."""

    fewest: int
    most: int

    def may_be_at_most(self, days: int) -> bool:
        """Whether it can be ``days`` or fewer (asked of "is it still within")."""
        return self.fewest <= days

    def may_be_at_least(self, days: int) -> bool:
        """Whether it can be ``days`` or more (asked of "has it reached")."""
        return self.most >= days

    @property
    def is_exact(self) -> bool:
        """Whether the number is known."""
        return self.fewest == self.most

    def __str__(self) -> str:
        return str(self.fewest) if self.is_exact else f"{self.fewest} to {self.most}"
