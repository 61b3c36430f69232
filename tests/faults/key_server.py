"""The rows on key servers: a client signs its calls with keys that it publishes at an address of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from jwt.algorithms import ECAlgorithm

from app.key_sets import KEYS_LAST_AT_MOST_SECONDS, KEYS_LAST_SECONDS, RETRY_AFTER_SECONDS
from app.settings import Settings
from tests.app.hospital import KEY, PUBLIC
from tests.app.tls import certify
from tests.fake_ehr import Answer, FakeEhr, Reply, broken, failing, saying, serving
from tests.faults.fault import BUDGET_MS, Fault, Scene
from tests.faults.sites import Sites, sign_with

SIGN = "200 doac-luminal-gi"
UNPROVEN = "401 login"
KEYS = {"keys": [{**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}]}

_numbers = itertools.count()

Make = Callable[[FakeEhr], Answer]


def rows(sites: Sites) -> list[Fault]:
    def at_start(name: str, make: Make) -> Fault:
        return Fault(
            group="key server (JWKS)",
            name=f"{name} from the start",
            scene=lambda: scene(sites, make),
            usual=SIGN,
            gets=UNPROVEN,
            from_start=True,
            recovers_after=RETRY_AFTER_SECONDS,
        )

    def later(name: str, make: Make, *, age: float, gets: str) -> Fault:
        return Fault(
            group="key server (JWKS)",
            name=name,
            scene=lambda: scene(sites, make, age=age),
            usual=SIGN,
            gets=gets,
            recovers_after=RETRY_AFTER_SECONDS,
        )

    return [
        at_start("closes without an answer", lambda _: _gone),
        at_start("hangs", lambda ehr: ehr.hanging(saying(KEYS))),
        at_start("500", lambda _: failing(500)),
        at_start("broken JSON", lambda _: broken()),
        later("closes without an answer later", lambda _: _gone, age=KEYS_LAST_SECONDS, gets=SIGN),
        later("hangs later", lambda ehr: ehr.hanging(saying(KEYS)), age=KEYS_LAST_SECONDS, gets=SIGN),
        later("500 for more than a day", lambda _: failing(500), age=KEYS_LAST_AT_MOST_SECONDS, gets=UNPROVEN),
    ]


@contextmanager
def scene(sites: Sites, make: Make, age: float = 0.0) -> Iterator[Scene]:
    """A service whose client has a key server; when the trouble begins the keys are ``age`` seconds old."""
    folder = sites.folder / f"keys-{next(_numbers)}"
    folder.mkdir()
    ca_file, tls = certify(folder, "127.0.0.1", "localhost")
    with serving(tls) as keys:
        (folder / "clients.toml").write_text(
            '[[client]]\nname = "north"\nissuer = "https://ehr.example"\ninternal_network = true\n'
            f'jwks_url = "{keys.base}/jwks"\n'
        )
        settings = Settings(
            clients_file=folder / "clients.toml",
            card_key="k" * 32,
            public_url=PUBLIC,
            ca_file=ca_file,
            state_dir=folder,
            budget_ms=BUDGET_MS,
        )
        service, clock = sites.service(settings)
        keys.on("jwks", saying(KEYS))

        def begin() -> None:
            keys.on("jwks", make(keys))
            clock.pass_by(age)

        yield Scene(
            service=service,
            clock=clock,
            ask=partial(sign_with, service, clock),
            begin=begin,
            end=lambda: keys.on("jwks", saying(KEYS)),
            ehr=keys,
        )


def _gone(_: object) -> Reply:
    raise ConnectionAbortedError
