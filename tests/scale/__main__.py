"""``make scale``: replicas die and the database crashes in turn for some minutes; the report is docs/scale.md."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from app import today_in
from tests.scale.load import BROKEN_CONNECTION, Tally, under_load
from tests.scale.stage import NGINX, ROOT, at_noon, staged
from tests.scale.story import crash_the_database, kill_a_replica, quiet, replace_a_replica
from tests.scale.verdict import Verdict, judged

CALLS = 100
PAGE = ROOT / "docs" / "scale.md"
PAGE_TEXT = """# More than one machine

Written by `make scale` ([tests/scale](../tests/scale)); `make test` plays a short round of the same.

Three `cat-cds serve` processes, nothing shared but one PostgreSQL, behind nginx with
[docs/deploy/nginx.conf](deploy/nginx.conf). Five callers sign their calls, ask about an order with the record in
prefetch, and tell what became of the cards. Two more send each token to two replicas at once. In each round one replica
is replaced (SIGTERM), one is killed with SIGKILL and started again, and the database crashes (no checkpoint) and
recovers. Whoever gets a clean failure tries again with a new token.

| {title} | number |
|---|---|
{table}

Cards of all answers, those to twins too: {rules}.

Everything ran on one machine of {machine} that had other work, so this says what is right under faults, and nothing
about speed.

## What it found

Used tokens were first written to PostgreSQL without waiting for its log (`synchronous_commit = off`). After a crash the
newest were gone, and their second use was accepted. They are waited for now;
[tests/scale/test_crash.py](../tests/scale/test_crash.py) holds it. In a SQLite file a power cut (not a crash of the
service) may still take the newest tokens: use PostgreSQL where that matters.
"""


def play(seconds: float) -> int:
    """One run of so many seconds; 1 when anything was wrong."""
    if NGINX is None:
        sys.exit("make scale needs nginx: make system-deps")
    zone = at_noon()
    day, started = today_in(zone), time.monotonic()
    rounds = replayed = cut_off = 0
    with staged(timezone=zone) as stage, tempfile.TemporaryDirectory() as folder:
        with under_load(stage, day) as load:
            while time.monotonic() - started < seconds:
                quiet(load, calls=CALLS)
                one, other, *_ = stage.replicas[rounds % 3 :] + stage.replicas
                cut_off += replace_a_replica(stage, load, other, calls=CALLS)
                kill_a_replica(stage, load, one, calls=CALLS)
                replayed += crash_the_database(stage, load, calls=CALLS)
                rounds += 1
                answered, passed = load.tally.count("call", 200), time.monotonic() - started
                print(f"{passed:5.0f} s, round {rounds}: {answered} calls answered", flush=True)
        lasted = time.monotonic() - started
        print("judging every answer against one made in this process")
        verdict = judged(load.tally, stage.database.url, Path(folder), day)
        faults = [*verdict.faults, *(["a replica failed inside"] if "Traceback" in stage.log() else [])]
    PAGE.write_text(
        page(load.tally, verdict, faults, rounds=rounds, replayed=replayed, cut_off=cut_off, seconds=lasted),
        encoding="utf-8",
    )
    print("\n".join(faults) or f"nothing wrong; {PAGE.relative_to(ROOT)} is renewed")
    return 1 if faults else 0


def page(
    tally: Tally, verdict: Verdict, faults: list[str], *, rounds: int, replayed: int, cut_off: int, seconds: float
) -> str:
    """The report."""

    def number(count: int) -> str:
        return f"{count:,}".replace(",", " ")

    def of(kind: str, *statuses: int) -> str:
        return number(sum(tally.count(kind, status) for status in statuses))

    def found(word: str) -> int:
        return sum(word in fault for fault in faults)

    shares = verdict.rules.most_common()
    rules = "; ".join(f"{number(count)} with {', '.join(which) or 'no card'}" for which, count in shares)
    rows = [
        ("calls answered 200, each compared with an answer made without network or PostgreSQL", of("call", 200)),
        ("feedback acknowledged with 200, each looked up in the database", number(len(tally.acknowledged))),
        ("tokens sent to two replicas at the same time", number(tally.twins)),
        ("… accepted by one", of("twin", 200)),
        ("… refused with 401 by the other", of("twin", 401)),
        ("accepted tokens sent once more after each crash, all refused with 401", number(replayed)),
        ("calls and feedback cut off while a replica was replaced (SIGTERM, new start)", number(cut_off)),
        ("calls failed cleanly with 503 (the store did not answer within 0.1 s), sent again", of("call", 503)),
        ("calls failed cleanly with 502 or 504 (the replica was gone), sent again", of("call", 502, 504)),
        (
            "answers cut off in the middle as the replica was killed, asked for again",
            number(tally.halves_at_kills),
        ),
        ("feedback failed cleanly with 502, 503 or 504, sent again", of("feedback", 502, 503, 504)),
        ("one of the two refused cleanly with 503, not sent again", of("twin", 503)),
        ("connections refused or cut off at the killed replica itself", of("twin", BROKEN_CONNECTION)),
        ("**wrong answers**", f"**{found('wrongly')}**"),
        ("**acknowledged feedback lost, or stored twice**", f"**{found('feedback to')}**"),
        ("**tokens accepted twice**", f"**{found('tokens were accepted')}**"),
        (
            "**answers of any other kind** (401 to a new token, 500, HTML)",
            f"**{found('was answered') + len(tally.odd)}**",
        ),
    ]
    return PAGE_TEXT.format(
        title=f"{seconds:.0f} s, {rounds} replicas replaced, {rounds} killed, {rounds} crashes of the database",
        table="\n".join(f"| {what} | {count} |" for what, count in rows),
        rules=rules,
        machine=f"{os.cpu_count()} cores ({platform.machine()})",
    )


if __name__ == "__main__":
    sys.exit(play(float(sys.argv[1])))
