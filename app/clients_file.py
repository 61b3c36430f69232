"""The clients file as written: read whole, every fault with its line and the remedy, and an example with every key."""

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from app.clients import Client, ClientsError
from app.key_sets import keys_in, proof
from app.outbound import may_connect

_ENTRY = re.compile(r"\s*\[\[\s*\"?client\"?\s*\]\]")
_TABLE = re.compile(r"\s*\[\s*client\s*\.\s*\"?([A-Za-z0-9_-]+)")
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*[.=]")
_AT_LINE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, where, and the remedy. ``line`` is 0 when it cannot be told."""

    path: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"The clients file {self.path}{f', line {self.line}:' if self.line else ''} {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsFile:
    """A clients file that was read: the entries that are right, and what is wrong with the others."""

    path: Path
    clients: tuple[Client, ...] = ()
    faults: tuple[Fault, ...] = ()
    lines: Sequence[Mapping[str, int]] = field(default=(), repr=False)

    def fault(self, number: int, key: str, words: str) -> Fault:
        """A fault of the entry of this number (from 1), at the line of the key."""
        lines = self.lines[number - 1] if number <= len(self.lines) else {}
        line = lines.get(key) or lines.get(key.partition(".")[0]) or lines.get("", 0)
        return Fault(path=self.path, line=line, words=f"client {number}{f', {key}' if key else ''}: {words}")


def load(path: Path) -> tuple[Client, ...]:
    """The clients of a file; relative ``jwks_file`` paths are made absolute, from the file's folder.

    Raises:
        ClientsError: the file cannot be read, has no client, or an entry is wrong; the first fault is told.
    """
    found = read(path)
    if found.faults:
        raise ClientsError(str(found.faults[0]))
    return found.clients


def read(path: Path) -> ClientsFile:
    """The clients file, right or wrong."""
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return ClientsFile(path=path, faults=(Fault(path=path, line=0, words=f"cannot be read: {why}."),))
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        words = f"cannot be read: {error}. It must be TOML."
        return ClientsFile(path=path, faults=(Fault(path=path, line=int(at[1]) if at else 0, words=words),))
    entries = content.get("client")
    if set(content) - {"client"} or not isinstance(entries, list) or not entries:
        words = "must hold [[client]] entries and nothing else. See: cat-cds config example."
        return ClientsFile(path=path, faults=(Fault(path=path, line=1, words=words),))
    blank = ClientsFile(path=path, lines=_lines(text))
    clients: list[Client] = []
    faults: list[Fault] = []
    for number, entry in enumerate(entries, start=1):
        try:
            clients.append(_with_key_file(blank, number, Client.model_validate(entry)))
        except ValidationError as error:
            faults += _faults(blank, number, error)
        except ClientsError as error:
            faults.append(blank.fault(number, "jwks_file", str(error)))
    faults += _twice(blank, entries)
    return ClientsFile(path=path, clients=tuple(clients), faults=tuple(faults), lines=blank.lines)


def _lines(text: str) -> list[dict[str, int]]:
    """Where the keys of each entry stand: its own under "", those of its tables as "table.key"."""
    found: list[dict[str, int]] = []
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if _ENTRY.match(line):
            found.append({"": number})
            table = ""
        elif found and (opened := _TABLE.match(line)):
            table = f"{opened[1]}."
            found[-1].setdefault(opened[1], number)
        elif found and (key := _KEY.match(line)):
            found[-1].setdefault(table + key[1], number)
    return found


def _faults(file: ClientsFile, number: int, error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in one["loc"] if not isinstance(part, int))
        words = one["msg"].removeprefix("Value error, ")
        known = Client.model_fields.get(key.partition(".")[0])
        if one["type"] == "extra_forbidden":
            near = get_close_matches(key, Client.model_fields, n=1)
            words += f"; did you mean {near[0]}?" if near else f"; known are {', '.join(Client.model_fields)}."
        elif known is not None:
            words += f". It is: {known.description}."
        else:
            words += "."
        yield file.fault(number, key, words)


def _with_key_file(file: ClientsFile, number: int, client: Client) -> Client:
    if client.jwks_file is None:
        return client
    keys = file.path.parent / client.jwks_file
    if not keys.is_file():
        raise ClientsError(f"{keys} does not exist. Put the public keys of {client.name} there.")
    return client.model_copy(update={"jwks_file": str(keys)})


def _twice(file: ClientsFile, entries: Sequence[Any]) -> Iterator[Fault]:
    for key in ("name", "issuer"):
        values = [entry.get(key) for entry in entries if isinstance(entry, dict)]
        for at, value in enumerate(values):
            if isinstance(value, str) and value in values[:at]:
                yield file.fault(at + 1, key, f"there are two clients of the {key} {value}. Give each its own.")


def unknown_names(file: ClientsFile, known: Mapping[str, Collection[str]]) -> list[Fault]:
    """Names in entries that nothing goes by; ``known`` gives, for some keys, the names there are."""
    faults = []
    for number, client in enumerate(file.clients, start=1):
        for key, names in known.items():
            value = getattr(client, key)
            for name in [value] if isinstance(value, str) else value or ():
                if name not in names:
                    words = f"there is no {name}. Use one of: {', '.join(sorted(names))}."
                    faults.append(file.fault(number, f"{key}.{name}" if isinstance(value, dict) else key, words))
    return faults


def internal_addresses(file: ClientsFile) -> list[Fault]:
    """Entries that name a server by an address that would be refused when it is asked."""
    faults = []
    for number, client in enumerate(file.clients, start=1):
        named = {"fhir_servers": client.fhir_servers, "open_fhir_servers": client.open_fhir_servers}
        for key, urls in {**named, "jwks_url": [client.jwks_url] if client.jwks_url else []}.items():
            for url in urls:
                with suppress(ValueError):
                    if not may_connect(urlsplit(url).hostname or "", internal=client.internal_network):
                        words = f"{url} is an internal address. Set internal_network = true if that is meant."
                        faults.append(file.fault(number, key, words))
    return faults


def unusable_keys(file: ClientsFile) -> list[Fault]:
    """Entries whose key file holds no key that could prove a token."""
    faults = []
    for number, client in enumerate(file.clients, start=1):
        if client.jwks_file is None:
            continue
        try:
            keys = keys_in(Path(client.jwks_file).read_bytes())
        except (OSError, ValueError):
            faults.append(file.fault(number, "jwks_file", "it is no JWK Set. Put a JSON object with keys there."))
            continue
        if not any(key.get("kid") and proof(key, algorithm) for key in keys for algorithm in client.algorithms):
            words = f"it has no public key with a kid that fits {' or '.join(client.algorithms)}."
            faults.append(file.fault(number, "jwks_file", words))
    return faults


def example() -> str:
    """A clients file with every key, each with what it is; those left out have the value that is shown."""
    lines = ["# The clients of cat-cds: one [[client]] for each EHR that may call.", "", "[[client]]"]
    tables = []
    for key, described in Client.model_fields.items():
        value = (described.examples or [None])[0]
        comment = f"# {described.description}"
        if isinstance(value, dict):
            tables += ["", comment, f"[client.{key}]"]
            tables += [f"{name} = {json.dumps(one)}" for name, one in value.items()]
        else:
            mark = "# " if key == "jwks_file" else ""  # one of jwks_file and jwks_url only
            lines += [comment, f"{mark}{key} = {json.dumps(value)}"]
    return "\n".join([*lines, *tables]) + "\n"
