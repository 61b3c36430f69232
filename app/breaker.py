"""A FHIR server that keeps failing is left alone for a while, then tried by one call: a circuit breaker.

One circuit for each client and server, kept by each worker for itself. What counts is the call, not the request: its
parallel requests to a server that is down are one failure, and a call in which anything was answered is none. Only
failures of the server count (``FetchError.evidence``), never a refusal nor an odd resource.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from app.fhir_client import Deadline, Evidence, Fetch, FetchError, Json
from app.hook_request import FhirAccess

FAILURES = 5
"""So many calls failed, one after the other and none answered in between: the server is left alone."""

MOMENT_SECONDS = 0.5
"""A call that began sooner than this after the last failure ended is part of that failure: one slow moment is one."""

FORGET_SECONDS = 300.0
"""A failure as long ago as this says nothing about now."""

SHORTEST_PAUSE_SECONDS = 5.0
"""The first pause; each trial that fails doubles it, up to the longest that is set."""

FAIR_SHARE = 0.5
"""A late request counts only if it had this part of the call's time: it may have waited for a thread of ours."""

Change = Literal["opened", "kept-open", "closed", "not-asked"]
"""What is told: the server is left alone; still, after a trial; is asked again; or one request was not sent."""


@dataclass(slots=True, kw_only=True)
class _Circuit:
    """What is known of one server, as one client meets it. It is open while ``pause`` is not 0.

    ``kind`` says why, as a kind of FetchError; ``trial`` is the call that tries it.
    """

    failures: int = 0
    failed_at: float = -math.inf
    pause: float = 0.0
    until: float = 0.0
    kind: str = ""
    trial: "Turn | None" = None


class Circuits:
    """The circuits of this worker. ``clock`` counts seconds; ``longest`` is the longest pause, 0 for none at all.

    ``tell`` hears of each change, with the name of the client.
    """

    def __init__(self, *, clock: Callable[[], float], longest: float, tell: Callable[[str, Change], None]) -> None:
        self._clock = clock
        self._longest = longest
        self._tell = tell
        self._lock = threading.Lock()
        self._circuits: dict[tuple[str, str], _Circuit] = {}

    def turn(self, client: str, server: str, deadline: Deadline, fetch: Fetch) -> "Turn":
        """One call of a client, which may ask this server by ``fetch`` until ``deadline``."""
        return Turn(self, (client, server), deadline, fetch, began=self._clock())

    def admit(self, turn: "Turn") -> None:
        """Let a request of this call pass.

        Raises:
            FetchError: the server is left alone, and it is not for this call to try it.
        """
        with self._lock:
            circuit = self._circuits.get(turn.key)
            if circuit is None or not circuit.pause or circuit.trial is turn:
                return
            if circuit.trial is None and self._clock() >= circuit.until:
                circuit.trial = turn
                return
            kind, pause = circuit.kind, circuit.pause
        self._tell(turn.key[0], "not-asked")
        raise FetchError(kind, seconds=pause)

    def answered(self, turn: "Turn") -> None:
        """The server answered, whatever it was: earlier failures are past, and a trial has succeeded."""
        with self._lock:
            circuit = self._circuits.get(turn.key)
            if circuit is None or (circuit.pause and circuit.trial is not turn):
                return
            del self._circuits[turn.key]
        if circuit.pause:
            self._told(turn, "closed", circuit.pause, circuit.kind)

    def asked_to_wait(self, turn: "Turn", seconds: float) -> None:
        """The server itself said for how long it wants to be left alone."""
        wanted = min(seconds, self._longest)
        if not wanted:
            return
        with self._lock:
            circuit, until = self._circuit(turn.key), self._clock() + wanted
            was_open, was_trial = circuit.pause > 0, circuit.trial is turn
            if was_open and not was_trial and circuit.until >= until:
                return
            circuit.pause, circuit.until, circuit.kind, circuit.trial = wanted, until, "busy", None
        if was_trial or not was_open:
            self._told(turn, "kept-open" if was_open else "opened", wanted, "busy")

    def failed(self, turn: "Turn") -> None:
        """A call has ended, and none of its requests was answered."""
        with self._lock:
            circuit, now = self._circuit(turn.key), self._clock()
            was_open = circuit.pause > 0
            if was_open and circuit.trial is not turn:
                return
            if not was_open and not self._is_one_too_many(circuit, turn.began, now):
                return
            pause = min(max(circuit.pause * 2, SHORTEST_PAUSE_SECONDS), self._longest)
            circuit.pause, circuit.until, circuit.kind, circuit.trial = pause, now + pause, "left-alone", None
        self._told(turn, "kept-open" if was_open else "opened", pause, "left-alone")

    def ended(self, turn: "Turn") -> None:
        """The call is over. A trial that showed nothing leaves the next one to another call."""
        with self._lock:
            circuit = self._circuits.get(turn.key)
            if circuit is not None and circuit.trial is turn:
                circuit.trial = None

    def _is_one_too_many(self, circuit: _Circuit, began: float, now: float) -> bool:
        """Count a failure, unless it is part of the last one; whether the server is to be left alone now."""
        if began < circuit.failed_at + MOMENT_SECONDS:
            return False
        circuit.failures = 1 if now - circuit.failed_at >= FORGET_SECONDS else circuit.failures + 1
        circuit.failed_at = now
        return circuit.failures >= FAILURES and self._longest > 0

    def _circuit(self, key: tuple[str, str]) -> _Circuit:
        """The circuit, made if need be; those of long ago go then, so that they never become many."""
        found = self._circuits.get(key)
        if found is None:
            past = self._clock() - FORGET_SECONDS
            for other, circuit in list(self._circuits.items()):
                if circuit.trial is None and max(circuit.failed_at, circuit.until) < past:
                    del self._circuits[other]
            found = self._circuits[key] = _Circuit()
        return found

    def _told(self, turn: "Turn", change: Change, pause: float, kind: str) -> None:
        self._tell(turn.key[0], change)
        log = structlog.get_logger("cat_cds")
        if change == "closed":
            log.warning("FHIR server answers again", client=turn.key[0])
        else:
            log.warning("FHIR server left alone", client=turn.key[0], seconds=round(pause, 1), reason=kind)


class Turn:
    """What one call learns of a FHIR server: ``fetch`` asks it while its circuit allows, ``end`` draws the sum.

    ``refused`` tells whether a request was not sent.
    """

    def __init__(
        self, circuits: Circuits, key: tuple[str, str], deadline: Deadline, fetch: Fetch, *, began: float
    ) -> None:
        self.key = key
        self.began = began
        self.refused = False
        self._circuits = circuits
        self._fetch = fetch
        self._fair = deadline.left() * FAIR_SHARE
        self._lock = threading.Lock()
        self._waiting = 0
        self._answered = self._failed = self._ended = False

    def fetch(self, access: FhirAccess, address: str, deadline: Deadline) -> Json:
        """As the fetch that it was given.

        Raises:
            FetchError: as that does, or because the server is left alone.
        """
        try:
            self._circuits.admit(self)
        except FetchError:
            self.refused = True
            raise
        fair = deadline.left() >= self._fair
        with self._lock:
            self._waiting += fair
        evidence: Evidence = "none"
        pause = 0.0
        try:
            content = self._fetch(access, address, deadline)
            evidence = "answered"
        except FetchError as error:
            evidence = error.evidence if fair or error.kind != "late" else "none"
            pause = error.retry_after
            raise
        finally:
            self._note(evidence, pause, fair=fair)
        return content

    def end(self) -> None:
        """The call is over; what has not been answered by now did not come in time."""
        with self._lock:
            self._ended = True
            failed = not self._answered and (self._failed or self._waiting > 0)
        if failed:
            self._circuits.failed(self)
        self._circuits.ended(self)

    def _note(self, evidence: Evidence, pause: float, *, fair: bool) -> None:
        with self._lock:
            self._waiting -= fair
            if self._ended:
                return
            self._answered = self._answered or evidence == "answered"
            self._failed = self._failed or evidence == "failed"
        if evidence == "answered":
            self._circuits.answered(self)
        if pause > 0:
            self._circuits.asked_to_wait(self, pause)
