"""The dalteparin dose of a phase: exact by weight, by label band, and less what the platelets ask for."""

from dataclasses import dataclass
from decimal import Decimal

from hooks.dosing import Dosing

DALTEPARIN = "dalteparin"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDose:
    """The dalteparin dose of one phase: exact, by band, and after the platelet reduction."""

    phase: str
    exact_iu: Decimal
    band_iu: Decimal
    reduced_by_iu: Decimal
    region: str
    capped: bool

    @property
    def due_iu(self) -> Decimal:
        """The band dose less the platelet reduction."""
        return self.band_iu - self.reduced_by_iu

    @property
    def exact_due_iu(self) -> Decimal:
        """The exact dose less the platelet reduction."""
        return self.exact_iu - self.reduced_by_iu


def phase_dose(phase: str, weight_kg: Decimal, dosing: Dosing, platelets_10e9_l: Decimal | None) -> PhaseDose | None:
    """The dalteparin dose of a phase for a weight; None when no band covers the weight."""
    regimen = dosing.regimen(DALTEPARIN, phase)
    table = "months-2-6" if phase == "beyond" else phase
    light = weight_kg < dosing.limits["dalteparin_us_band_from_kg"]
    band = dosing.band(table, weight_kg, "UK") if light and table == "month-1" else dosing.band(table, weight_kg)
    if band is None:
        return None
    return PhaseDose(
        phase=phase,
        exact_iu=regimen.exact(weight_kg),
        band_iu=band.dose_iu,
        reduced_by_iu=platelet_reduction(dosing, platelets_10e9_l),
        region=band.region,
        capped=regimen.per_kg * weight_kg > regimen.exact(weight_kg),
    )


def platelet_reduction(dosing: Dosing, platelets_10e9_l: Decimal | None) -> Decimal:
    """What the label takes off the daily dalteparin dose at this platelet count, in IU."""
    hold = dosing.limits["dalteparin_platelets_hold_below_10e9_l"]
    full = dosing.limits["dalteparin_platelets_full_from_10e9_l"]
    if platelets_10e9_l is not None and hold <= platelets_10e9_l < full:
        return dosing.limits["dalteparin_platelet_reduction_iu"]
    return Decimal(0)


def phase_on(day: int, dosing: Dosing) -> str:
    """The dalteparin phase of a day of treatment."""
    for phase in ("month-1", "months-2-6"):
        last = dosing.regimen(DALTEPARIN, phase).last_day
        if last is None or day <= last:
            return phase
    return "beyond"
