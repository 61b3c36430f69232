"""The two parts of README.md that a machine keeps true: the tree and the table of settings.

``make readme`` renews both. A module is described by the first sentence of its docstring; what a person wrote in the
tree about any other file is kept.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

NEVER_LISTED = (".git",)
# One line stands for all that is in these directories. Every module of app, hooks and fixtures has a line of its own.
CLOSED = (
    "app/*/static",
    "app/*/templates",
    "docs/screenshots",
    "fixtures/ehr",
    "fixtures/requests",
    "fixtures/responses",
    "hooks/data/*",
    "requirements",
    "tests/*",
)
TREE_HEADING = "The tree"
SETTINGS_HEADING = "Settings"
COLUMN = 32


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the tree: a path relative to the project (directories end in a slash) and what it holds."""

    path: str
    words: str


def ignored_patterns(root: Path) -> tuple[str, ...]:
    """Names that git does not look at: the lines of .gitignore, without their slashes."""
    lines = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    return NEVER_LISTED + tuple(line.strip("/ ") for line in lines if line.strip() and not line.startswith("#"))


def paths_on_disk(root: Path) -> list[str]:
    """All that the tree has to show, in its order: directories first, then files, each by name."""
    patterns = ignored_patterns(root)

    def visible(path: Path) -> bool:
        return not any(fnmatch(path.name, pattern) for pattern in patterns)

    def holds_files(directory: Path) -> bool:
        return any(child.is_file() or holds_files(child) for child in directory.iterdir() if visible(child))

    def walk(directory: Path) -> Iterator[str]:
        children = sorted((child for child in directory.iterdir() if visible(child)), key=_order)
        for child in children:
            relative = child.relative_to(root).as_posix()
            if child.is_file():
                yield relative
            elif holds_files(child):
                yield relative + "/"
                if not any(fnmatch(relative, pattern) for pattern in CLOSED):
                    yield from walk(child)

    return list(walk(root))


def _order(path: Path) -> tuple[bool, bool, str]:
    return path.is_file(), path.name != "__init__.py", path.name


def section(text: str, heading: str) -> str:
    """What stands below a second-level heading, up to the next one. Empty when there is no such heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def entries(text: str) -> list[Entry]:
    """The lines of the first code block below the heading "The tree", indented by two spaces a level."""
    block = re.search(r"^```\w*\n(.*?)^```", section(text, TREE_HEADING), re.MULTILINE | re.DOTALL)
    found: list[Entry] = []
    above: list[str] = []
    for line in block[1].splitlines() if block else []:
        name, _, words = line.strip().partition(" ")
        if not name:
            continue
        level = (len(line) - len(line.lstrip())) // 2
        above = [*above[:level], name]
        found.append(Entry(path="".join(above), words=words.strip()))
    return found


def wordless(text: str) -> list[str]:
    """Paths in the tree of which nothing is said. The directory speaks for its ``__init__.py``."""
    return [entry.path for entry in entries(text) if not entry.words and not entry.path.endswith("/__init__.py")]


def first_sentence(module: Path) -> str:
    """The first sentence of a module's docstring, without its full stop; empty when it has none."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.(?:\s|$)", docstring.replace("``", ""), maxsplit=1)[0].replace("\n", " ")


def tree(root: Path, text: str) -> str:
    """The tree as it has to stand in the README whose present text is given."""
    written = {entry.path: entry.words for entry in entries(text)}
    lines = []
    for path in paths_on_disk(root):
        module = root / path / "__init__.py" if path.endswith("/") else root / path
        words = first_sentence(module) if module.suffix == ".py" and module.is_file() else ""
        if module.name == "__init__.py" and not path.endswith("/"):
            words = ""  # its directory has said it
        words = words or written.get(path, "")
        depth = path.rstrip("/").count("/")
        name = "  " * depth + path.rstrip("/").rpartition("/")[2] + ("/" if path.endswith("/") else "")
        lines.append(f"{name:<{COLUMN - 1}} {words}".rstrip())
    return "\n".join(lines)


def settings_table() -> str:
    """One row per environment variable, from the declarations in app.settings."""
    from app.settings import Settings, variable

    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        rows.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    return "\n".join(rows)


def renewed(root: Path, text: str, table: str) -> str:
    """The README with the tree of the disk and the given table of settings in their places."""
    old = section(text, TREE_HEADING)
    new = re.sub(
        r"^```\n.*?^```", lambda _: f"```\n{tree(root, text)}\n```", old, count=1, flags=re.MULTILINE | re.DOTALL
    )
    text = text.replace(old, new)
    old = section(text, SETTINGS_HEADING)
    new = re.sub(r"^\| variable \|.*?(?=\n\n|\Z)", lambda _: table, old, count=1, flags=re.MULTILINE | re.DOTALL)
    return text.replace(old, new)


def with_example(text: str) -> str:
    """The page about connecting, its first clients file as ``cat-cds config example`` prints it."""
    from app.clients_file import example

    start, end = text.index("```toml\n") + len("```toml\n"), text.index('[[client]]\nname = "test-system"')
    return text[:start] + example() + "\n" + text[end:]


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[2]
    page = here / "docs" / "connecting.md"
    page.write_text(with_example(page.read_text(encoding="utf-8")), encoding="utf-8")
    readme = here / "README.md"
    readme.write_text(renewed(here, readme.read_text(encoding="utf-8"), settings_table()), encoding="utf-8")
    silent = wordless(readme.read_text(encoding="utf-8"))
    if silent:
        sys.exit("Say in README.md what these hold: " + ", ".join(silent))
