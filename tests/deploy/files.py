"""The files that a deployment is made of, read as data."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "compose.yaml"
KUBERNETES = ROOT / "docs" / "deploy" / "kubernetes.yaml"
NGINX = ROOT / "docs" / "deploy" / "nginx.conf"
PAGE = ROOT / "docs" / "deploying.md"

Json = dict[str, Any]


def compose() -> Json:
    """compose.yaml, anchors resolved and nothing substituted."""
    content: Json = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return content


def resource(kind: str) -> Json:
    """The one resource of this kind in the Kubernetes manifest."""
    [found] = [one for one in yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8")) if one["kind"] == kind]
    return dict(found)


def image() -> dict[str, str]:
    """What the last stage of the Dockerfile says, by instruction; of several of a kind the last."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text(encoding="utf-8"))
    last = text[text.rindex("\nFROM ") :]
    return dict(line.split(maxsplit=1) for line in last.splitlines() if line and not line.startswith("#"))


def image_port() -> int:
    """The port at which the image listens."""
    command = json.loads(image()["CMD"])
    return int(command[command.index("--port") + 1])


def nginx(name: str) -> str:
    """The arguments of the one directive of this name in nginx.conf."""
    [found] = re.findall(rf"^\s*{name} ([^;{{]*);", NGINX.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def seconds(text: str) -> float:
    """A time as nginx and compose write it."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def shown_commands() -> list[list[str]]:
    """The commands that docs/deploying.md shows, as words."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = re.sub(r"\\\n\s*", " ", "".join(blocks)).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]
