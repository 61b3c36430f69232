"""A listed client of the service outside demo mode: its entry in the clients file, and its signed tokens."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app.settings import Settings

PUBLIC = "https://cds.example"
ISSUER = "https://ehr.example"
KEY = ec.generate_private_key(ec.SECP384R1())

_numbers = itertools.count()


def listed(folder: Path, *more: str, entry: str = "", **settings: Any) -> Settings:
    """Settings with one client "north" in ``folder``; ``entry`` adds keys to it, ``more`` further clients by name."""
    public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    folder.mkdir(exist_ok=True)
    (folder / "keys.json").write_bytes(orjson.dumps({"keys": [{**public, "kid": "k1"}]}))
    text = "".join(
        f'[[client]]\nname = "{name}"\nissuer = "{ISSUER if name == "north" else f"https://{name}.example"}"\n'
        f'jwks_file = "keys.json"\n{entry if name == "north" else ""}\n'
        for name in ("north", *more)
    )
    (folder / "clients.toml").write_text(text)
    given = {"public_url": PUBLIC, "card_key": "k" * 32, "state_dir": folder, **settings}
    return Settings(clients_file=folder / "clients.toml", **given)


def bearer(path: str, **changes: Any) -> dict[str, str]:
    """The header of a token for this path of the service."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": PUBLIC + path,
        "iat": now,
        "exp": now + 60,
        "jti": f"{next(_numbers)} {now}",
        **changes,
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, algorithm='ES384', headers={'kid': 'k1'})}"}
