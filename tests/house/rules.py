"""The rules of the house. Each takes the root of a project and returns what is wrong there, one line per fault."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import readme

CEILING = 300
CODE = ("app", "hooks", "fixtures")
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "models", "shared"}
CLOCK_CALL = re.compile(r"(?:^|\.)(?:date|datetime|dt|_date|_datetime)\.(?:today|now|utcnow)$")
CLOCK_HOLDERS = ("app/__init__.py", "app/cli/")
# A dependency that no module imports, with the module whose use it serves.
SERVES = {"gunicorn": "gunicorn", "psycopg": "sqlalchemy", "tzdata": "zoneinfo"}


def modules(root: Path, *directories: str) -> Iterator[tuple[str, str]]:
    """(path, source) of each Python module below the given directories."""
    for directory in directories:
        for path in sorted((root / directory).rglob("*.py")):
            yield path.relative_to(root).as_posix(), read(path)


def read(path: Path) -> str:
    """The text of a file of the project; bytes that are no text are left out."""
    return path.read_text(encoding="utf-8", errors="ignore")


def imported(source: str) -> set[str]:
    """Top-level names of all packages that a module imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def long_modules(root: Path) -> list[str]:
    """A module is at most 300 lines long."""
    sizes = {path: len(source.splitlines()) for path, source in modules(root, *CODE)}
    return [f"{path} has {lines} lines, {CEILING} is the ceiling" for path, lines in sizes.items() if lines > CEILING]


def empty_names(root: Path) -> list[str]:
    """A module is named for what it holds."""
    return [
        f"{path} says nothing about what it holds" for path, _ in modules(root, *CODE) if Path(path).stem in EMPTY_NAMES
    ]


def readme_tree(root: Path) -> list[str]:
    """The tree in the README is the tree on disk, each line with a few words."""
    text = read(root / "README.md")
    shown = [entry.path for entry in readme.entries(text)]
    there = readme.paths_on_disk(root)
    return (
        [f"{path} is not in README.md: make readme" for path in there if path not in shown]
        + [f"README.md shows {path}, which does not exist: make readme" for path in shown if path not in there]
        + [f"README.md does not say what {path} holds" for path in readme.wordless(text)]
    )


def settings_undocumented(root: Path, table: str) -> list[str]:
    """The README's table of settings is the one that the declarations give, and no other variable is spoken of."""
    text = read(root / "README.md")
    there = readme.section(text, readme.SETTINGS_HEADING)
    missing = [f"README.md, Settings, lacks: {row}" for row in table.splitlines() if row not in there]
    known = set(re.findall(r"CAT_CDS_[A-Z_]+", table))
    named = {name for page in pages(root) for name in re.findall(r"CAT_CDS_[A-Z_]*[A-Z]", read(page))}
    return missing + [f"{name} is not a setting" for name in sorted(named - known)]


def pages(root: Path) -> list[Path]:
    """The pages for people: Markdown at the top and in docs."""
    return sorted([*root.glob("*.md"), *root.glob("docs/*.md")])


def unused_dependencies(root: Path) -> list[str]:
    """Every dependency is imported by app or hooks, and every package they import is a dependency."""
    project = tomllib.loads(read(root / "pyproject.toml"))["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    used = set().union(*(imported(source) for _, source in modules(root, "app", "hooks")))
    providers = {
        module: {canonicalize_name(name) for name in names} for module, names in packages_distributions().items()
    }
    reached = {name for module in used for name in providers.get(module, set())}
    idle = {name for name in declared - reached if SERVES.get(name) not in used}
    own = {"app", "hooks", *sys.stdlib_module_names}
    extras = [text for texts in project.get("optional-dependencies", {}).values() for text in texts]
    at_hand = declared | {canonicalize_name(Requirement(text).name) for text in extras}
    undeclared = {module for module in used - own if not providers.get(module, set()) & at_hand}
    return [f"{name} is a dependency that nothing imports" for name in sorted(idle)] + [
        f"{module} is imported and comes from no dependency of pyproject.toml" for module in sorted(undeclared)
    ]


def foreign_to_medicine(root: Path) -> list[str]:
    """``hooks`` needs nothing but itself and the standard library."""
    return [
        f"{path} imports {name}, which is neither hooks nor the standard library"
        for path, source in modules(root, "hooks")
        for name in sorted(imported(source) - {"hooks"} - sys.stdlib_module_names)
    ]


def unfinished(root: Path) -> list[str]:
    """No note of work left undone, no test that is passed over."""
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    faults = [
        f"{path}:{number} leaves work undone"
        for path, source in modules(root, *CODE, "tests")
        for number, line in enumerate(source.splitlines(), 1)
        if marks.search(line)
    ]
    passed_over = {"skip", "skipif", "xfail", "importorskip", "skipUnless", "SkipTest"}
    return faults + [
        f"{path}:{node.lineno} passes a test over ({node.attr})"
        for path, source in modules(root, "tests")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in passed_over and _is_testing(node.value)
    ]


def _is_testing(node: ast.expr) -> bool:
    return ast.unparse(node) in {"pytest", "pytest.mark", "unittest", "mark"}


def clock_readers(root: Path) -> list[str]:
    """The date and the time are handed in; only the factory and the command line read the clock."""
    return [
        f"{path}:{node.lineno} reads the clock ({ast.unparse(node.func)})"
        for path, source in modules(root, *CODE, "tests")
        if not path.startswith(CLOCK_HOLDERS)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and CLOCK_CALL.search(ast.unparse(node.func))
    ]


def broken_links(root: Path) -> list[str]:
    """Every relative link in a page for people leads to a file that exists, and to a heading that it has."""
    faults = []
    for page in pages(root):
        text = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            name = page.relative_to(root).as_posix()
            if not file.exists():
                faults.append(f"{name} links to {target}, which does not exist")
            elif anchor and anchor not in headings(file):
                faults.append(f"{name} links to {target}, but there is no such heading")
    return faults


def headings(page: Path) -> set[str]:
    """The anchors that a Markdown page offers, as GitHub forms them."""
    lines = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def outside_paths(root: Path) -> list[str]:
    """Nothing that runs reads from outside the project."""
    outside = re.compile(r"(?:\.\./|/work/)shared\b")
    files = [path for directory in CODE for path in (root / directory).rglob("*") if path.is_file()]
    files += [root / name for name in ("Makefile", "Dockerfile", "pyproject.toml", ".ci/run")]
    return [
        f"{path.relative_to(root).as_posix()} reads from outside the project"
        for path in files
        if path.is_file() and path.suffix != ".pyc" and outside.search(read(path))
    ]


def stale_lock(root: Path) -> list[str]:
    """The lock files pin what pyproject.toml asks for, with hashes, and name no registry and no place on a disk."""
    document = tomllib.loads(read(root / "pyproject.toml"))
    groups = document["dependency-groups"]
    wanted = {
        "run": document["project"]["dependencies"],
        "build": groups["build"] + document["build-system"]["requires"],
        "dev": document["project"]["dependencies"]
        + [text for texts in document["project"].get("optional-dependencies", {}).values() for text in texts]
        + groups["build"]
        + [x for x in groups["dev"] if isinstance(x, str)],
    }
    faults = []
    for name, requirements in wanted.items():
        text = read(root / "requirements" / f"{name}.txt")
        pins = pinned(text)
        for requirement in map(Requirement, requirements):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                faults.append(f"requirements/{name}.txt does not answer {requirement}: make lock")
        if re.search(r"^\s*-(?!-hash)|://|file:|\s/", re.sub(r"#.*", "", text), re.MULTILINE):
            faults.append(f"requirements/{name}.txt names a registry or a path")
        blocks = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE).strip())
        faults += [
            f"requirements/{name}.txt: no hash for {block.split()[0]}"
            for block in blocks
            if "--hash=sha256:" not in block
        ]
    return faults


def pinned(lock: str) -> Mapping[str, str]:
    """Version by canonical name of each package in a lock file."""
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    }


def unknown_commands(root: Path) -> list[str]:
    """Each `make X` that CI or a page speaks of exists; CI runs nothing else, and only what the README explains."""
    targets = set(re.findall(r"^([a-z-]+):", read(root / "Makefile"), re.MULTILINE))
    spoken = {
        (page.relative_to(root).as_posix(), name)
        for page in [*pages(root), root / ".ci" / "run"]
        for name in re.findall(r"\bmake ([a-z-]+)(?=[`\n ]*(?:[`\n#]|$))", read(page), re.MULTILINE)
    }
    faults = [
        f"{page} speaks of make {name}, which does not exist" for page, name in sorted(spoken) if name not in targets
    ]
    explained = set(re.findall(r"`?make ([a-z-]+)", read(root / "README.md")))
    return faults + [
        f"CI runs make {name}, which README.md does not explain"
        for page, name in sorted(spoken)
        if page == ".ci/run" and name not in explained
    ]
