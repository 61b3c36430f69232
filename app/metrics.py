"""Counters for Prometheus. Labels are words of ours and names of the clients file, never anything from a record.

With ``PROMETHEUS_MULTIPROC_DIR`` set (``cat-cds serve`` sets it) all workers count into files there, and any of them
tells the sum; without, each worker tells its own.
"""

import os
import threading
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from app.audit import CallLog, unforeseen
from app.breaker import Change
from app.fhir_client import Fetch, FetchError, Json
from app.hook_request import FhirAccess
from app.outbound import Deadline

FILES = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0, 5.0)


class Metrics:
    """What is counted."""

    def __init__(self, lost_notes: Callable[[], int] = lambda: 0) -> None:
        """``lost_notes`` tells how many notes for the store this worker has lost so far."""
        self._lost_notes = lost_notes
        self._lost_and_told = 0
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"cat_cds_{name}", words, labels, registry=self._registry)

        self._calls = counter("calls", "Calls, by service, client and HTTP status.", "service", "client", "status")
        self._seconds = Histogram(
            "cat_cds_call_seconds",
            "Time of calls, by stage; total is the whole.",
            ("stage",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._cards = counter("cards", "Rules told on cards.", "rule", "indicator", "profile")
        self._silences = counter("silences", "Calls without cards for a reason known beforehand.", "reason")
        self._gaps = counter("gaps", "Prefetch keys that could not be had.", "key")
        self._fetch_failures = counter("fetch_failures", "FHIR requests without a usable answer.", "reason")
        self._circuits = counter("circuit_changes", "FHIR servers left alone or asked again.", "client", "change")
        self._auth_failures = counter("auth_failures", "Callers who were not believed.", "cause")
        self._broken_rules = counter("broken_rules", "Rules that raised.", "rule")
        self._feedback = counter("feedback", "Outcomes of cards that were told.", "client", "outcome")
        self._kept_back = counter("kept_back", "Rules whose cards were kept back, silent or held.", "rule", "why")
        self._dropped = counter("dropped", "What was left aside.", "what")
        self._turned_away = counter("turned_away", "Requests refused before they were looked at.", "why")

    def count(self, call: CallLog) -> None:
        """Count a call."""
        self._calls.labels(call.service, call.client, str(call.status)).inc()
        for stage, milliseconds in call.ms.items():
            self._seconds.labels(stage).observe(milliseconds / 1000)
        for rule, _, indicator in (told.rpartition(":") for told in call.rules):
            self._cards.labels(rule, indicator, call.profile).inc()
        for key in call.gaps:
            self._gaps.labels(key).inc()
        for broken in call.broken_rules:
            self._broken_rules.labels(broken.partition(":")[0]).inc()
        if call.silence:
            self._silences.labels(call.silence).inc()
        if call.cause:
            self._auth_failures.labels(call.cause).inc()
        for outcome, number in call.feedback.items():
            self._feedback.labels(call.client, outcome).inc(number)
        for why, rules in (("silent", call.silent_rules), ("held", call.held_rules)):
            for told in rules:
                self._kept_back.labels(told.partition(":")[0], why).inc()
        if call.dropped:
            self._dropped.labels("resource-of-another-patient").inc(call.dropped)
        if self._lost_notes() != self._lost_and_told:
            self._count_lost_notes()

    def _count_lost_notes(self) -> None:
        with self._lock:
            lost = self._lost_notes()
            self._dropped.labels("note-for-the-store").inc(lost - self._lost_and_told)
            self._lost_and_told = lost

    def turn_away(self, why: str) -> None:
        """Count a request that the server refused: too many wait ("full"), or it was too "late", or came too "slow"."""
        self._turned_away.labels(why).inc()

    def watched(self, fetch: Fetch) -> Fetch:
        """The same fetch, its failures counted."""

        def counted(access: FhirAccess, address: str, deadline: Deadline) -> Json:
            try:
                return fetch(access, address, deadline)
            except FetchError as error:
                self._fetch_failures.labels(error.kind).inc()
                raise

        return counted

    def circuit(self, client: str, change: Change) -> None:
        """Count that a FHIR server is left alone or asked again, or that a request was not sent for that reason."""
        if change == "not-asked":
            self._fetch_failures.labels(change).inc()
        else:
            self._circuits.labels(client, change).inc()

    def text(self) -> bytes:
        """All counters in the text format of Prometheus."""
        self._dropped.labels("resource-of-another-patient")  # 0 is told, too
        self._count_lost_notes()
        registry = self._registry
        if os.environ.get(FILES):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def and_counted(write: Callable[[CallLog], None], metrics: Metrics) -> Callable[[CallLog], None]:
    """Writes a call into the log and counts it. Counters that cannot be written cost no answer."""

    def both(call: CallLog) -> None:
        write(call)
        try:
            metrics.count(call)
        except OSError as error:
            structlog.get_logger("cat_cds").error("not counted", error=unforeseen(error))

    return both
