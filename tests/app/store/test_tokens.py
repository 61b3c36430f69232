"""Used tokens: refused when seen again, by whichever process, until they expire; and never kept as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.store.database import Database
from app.store.notes import Notes, Sweep
from app.store.tables import TOKENS
from app.store.tokens import SeenTokens
from tests.app.store.databases import environment, opened, rows

pytestmark = pytest.mark.xdist_group("postgresql")


class Tokens(SeenTokens):
    """Tokens with a clock that the test sets, and a count of how often a sweep was asked for."""

    def __init__(self, database: Database, moment: float = 0.0) -> None:
        self.moment = moment
        self.sweeps = 0
        super().__init__(database, now=lambda: self.moment, sweep=self._count)

    def _count(self) -> None:
        self.sweeps += 1


@pytest.mark.spec("S-12")
def test_a_token_is_new_once_and_each_issuer_has_its_own(database: Database) -> None:
    seen = Tokens(database)
    assert not seen("a", "j", 1000.0)
    assert seen("a", "j", 1000.0)
    assert not seen("b", "j", 1000.0)
    assert not seen("a", "k", 1000.0)


@pytest.mark.spec("S-12")
def test_a_token_is_remembered_until_it_has_expired(database: Database) -> None:
    seen = Tokens(database)
    assert not seen("a", "j", 1000.0)
    seen.moment = 999.0
    assert seen("a", "j", 1000.0)
    seen.moment = 1400.0
    assert not seen("a", "j", 2000.0)
    assert seen("a", "j", 2000.0)


@pytest.mark.spec("S-12")
def test_a_replica_sees_what_another_one_saw(database: Database, url: str) -> None:
    with opened(url) as other:
        assert not Tokens(database)("a", "j", 1000.0)
        assert Tokens(other)("a", "j", 1000.0)


@pytest.mark.spec("S-12")
def test_of_many_that_use_one_token_at_once_one_succeeds(url: str, database: Database, project_root: Path) -> None:
    program = (
        "import json, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from app.store import database as module\n"
        "from app.store.tokens import SeenTokens\n"
        "module.CALL_WAITS_SECONDS = 20\n"
        "seen = SeenTokens(module.Database(sys.argv[1]), now=lambda: 0.0, sweep=lambda: None)\n"
        "seen('warm', sys.argv[2], 9.0)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    news = [not one for one in pool.map(lambda n: seen('a', str(n % 10), 1000.0), range(40))]\n"
        "print(json.dumps(sum(news)))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=project_root,
            env=environment(),
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    found = [json.loads(process.communicate("go\n", timeout=60)[0]) for process in processes]
    assert sum(found) == 10


@pytest.mark.spec("S-14")
def test_what_is_kept_is_a_hash_and_not_the_token(database: Database) -> None:
    Tokens(database)("a", "canary-jti", 1000.0)
    assert "canary-jti" not in rows(database)


@pytest.mark.spec("S-12")
def test_odd_names_are_tokens_too(database: Database) -> None:
    seen = Tokens(database)
    for jti in ("\x00", "😀", "'; DROP TABLE seen_token; --", "j" * 5000):
        assert not seen("a", jti, 1000.0)
        assert seen("a", jti, 1000.0)


def test_what_has_expired_is_swept_behind_the_answer(database: Database) -> None:
    seen = Tokens(database)
    seen("a", "j", 1000.0)
    seen("a", "k", 3000.0)
    seen.moment = 30.0
    seen("a", "l", 3000.0)
    assert seen.sweeps == 1
    seen.moment = 61.0
    seen("a", "m", 3000.0)
    assert seen.sweeps == 2
    Notes(database, now=lambda: 2000.0, keep_days=1)([Sweep()])
    left = database.surely(lambda c: c.scalar(sa.select(sa.func.count()).select_from(TOKENS)))
    assert left == 3


@pytest.mark.spec("S-12")
def test_a_replica_whose_clock_is_ahead_forgets_no_token_that_another_may_still_accept(database: Database) -> None:
    behind = Tokens(database, moment=900.0)
    assert not behind("a", "j", 1000.0)
    Notes(database, now=lambda: 1100.0, keep_days=1)([Sweep()])
    assert behind("a", "j", 1000.0)
