"""The rows on clocks that are set anew: the wall clock and the date by hours, the machine that slept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from app.fhir_client import WORDS
from app.key_sets import RETRY_AFTER_SECONDS
from tests.app.service import call
from tests.fake_ehr import Asked, Reply, failing, serving
from tests.faults import key_server
from tests.faults.fault import Clock, Fault, Scene
from tests.faults.sites import Sites, sign_with, whole_record

SIGN = "200 doac-luminal-gi"
HOURS = 3 * 3600.0


def rows(sites: Sites) -> list[Fault]:
    def wall(name: str, seconds: float) -> Fault:
        return Fault(
            group="clocks",
            name=f"the service's wall clock is set {name}: tokens of the EHR",
            scene=lambda: _wall(sites, seconds),
            usual=SIGN,
            gets="401 login",
        )

    def meanwhile(name: str, step: Callable[[Clock], None], gets: str = SIGN, *, leaps: bool = False) -> Fault:
        return Fault(
            group="clocks",
            name=f"while a call waits for the EHR, {name}",
            scene=lambda: _meanwhile(sites, step),
            usual=SIGN,
            gets=gets,
            asks=None if leaps else 10,
            leaps=leaps,
        )

    def forward(clock: Clock) -> None:
        clock.wall_step = HOURS

    def back(clock: Clock) -> None:
        clock.wall_step = -HOURS

    def next_day(clock: Clock) -> None:
        clock.days_ahead = 1

    def day_before(clock: Clock) -> None:
        clock.days_ahead = -1

    def sleep(clock: Clock) -> None:
        clock.pass_by(HOURS)

    return [
        wall("3 h ahead", HOURS),
        wall("3 h back", -HOURS),
        Fault(
            group="clocks",
            name="the wall clock is set 3 h back while the key server fails",
            scene=lambda: _back_without_keys(sites),
            usual=SIGN,
            gets="401 login",
            from_start=True,
            recovers_after=RETRY_AFTER_SECONDS,
        ),
        meanwhile("the wall clock is set 3 h ahead", forward),
        meanwhile("the wall clock is set 3 h back", back),
        meanwhile("the next day begins", next_day),
        meanwhile("the date is set a day back", day_before),
        meanwhile("the machine sleeps for 3 h", sleep, f"200 data-not-usable ({WORDS['late']})", leaps=True),
    ]


@contextmanager
def _wall(sites: Sites, seconds: float) -> Iterator[Scene]:
    service, clock, _ = sites.sqlite()

    def step(to: float) -> None:
        clock.wall_step = to

    yield Scene(
        service=service,
        clock=clock,
        ask=partial(sign_with, service, clock),
        begin=lambda: step(seconds),
        end=lambda: step(0.0),
    )


@contextmanager
def _back_without_keys(sites: Sites) -> Iterator[Scene]:
    """The clocks of service and EHR go 3 h ahead when a first call finds no keys, and are right from then on."""
    with key_server.scene(sites, lambda _: failing(500)) as scene:
        begin = scene.begin

        def set_back() -> None:
            begin()
            scene.clock.wall_step = HOURS
            sign_with(scene.service, scene.clock)
            scene.clock.wall_step = 0.0

        scene.begin = set_back
        yield scene


@contextmanager
def _meanwhile(sites: Sites, step: Callable[[Clock], None]) -> Iterator[Scene]:
    """The EHR answers as usual, and with its answer about conditions the clocks are set anew."""
    service, clock = sites.demo()
    with serving() as ehr:
        whole_record(ehr)
        usual = ehr.answers["Condition"]
        body = call("order-sign", prefetch=..., fhirServer=ehr.base)

        def stepping(asked: Asked) -> Reply:
            step(clock)
            return usual(asked)

        def end() -> None:
            ehr.on("Condition", usual)
            clock.wall_step, clock.days_ahead = 0.0, 0

        yield Scene(
            service=service,
            clock=clock,
            ask=lambda: service.post(body),
            begin=lambda: ehr.on("Condition", stepping),
            end=end,
            ehr=ehr,
        )
