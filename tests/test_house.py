"""The rules of the house hold here, and each of them is shown to notice a breach in a small house built for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import readme, rules

RULES = [
    rules.long_modules,
    rules.empty_names,
    rules.readme_tree,
    rules.unused_dependencies,
    rules.foreign_to_medicine,
    rules.unfinished,
    rules.clock_readers,
    rules.broken_links,
    rules.outside_paths,
    rules.stale_lock,
    rules.unknown_commands,
]
Rule = Callable[[Path], list[str]]

TABLE = "| variable | default | meaning |\n|---|---|---|\n| `CAT_CDS_LOG_LEVEL` | `info` | least level that is logged |"

README = f"""# A small house

Run it with `make run`. Two commands, `make check` and `make test`, are all of CI.

## The tree

```
.ci/                 the script of CI
  run                two commands
app/                 speaks HTTP
  __init__.py        the factory
  rooms.py           the rooms
fixtures/            patients
  ehr/               charts
hooks/               speaks medicine
  __init__.py        nothing
requirements/        locks
tests/               tests
  test_rooms.py      of the rooms
.gitignore           what git leaves out
Makefile             commands
README.md            this page
pyproject.toml       the project
```

## Settings

{TABLE}

## Deploying

See [the tree](#the-tree) and [the project](pyproject.toml).
"""

PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
[project]
name = "house"
dependencies = ["flask>=3.1,<4"]
[dependency-groups]
build = ["hatchling>=1.27"]
dev = [{include-group = "build"}, "pytest>=8"]
"""


def pin(*names: str) -> str:
    return "".join(f"{name} \\\n    --hash=sha256:{'0' * 64}\n    # via house\n" for name in names)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A project of a dozen files in which every rule holds."""
    files = {
        ".ci/run": "make check\nmake test # the last\n",
        ".gitignore": ".venv/\n__pycache__/\n*.db\n",
        "Makefile": "run: install\ncheck: install\ntest: install\ninstall:\n",
        "README.md": README,
        "app/__init__.py": '"""The factory."""\nfrom datetime import date\n\ndef create():\n    return date.today()\n',
        "app/rooms.py": '"""The rooms. There are two."""\nimport flask\nimport hooks\n',
        "fixtures/ehr/patient.json": "{}",
        "hooks/__init__.py": "",
        "pyproject.toml": PYPROJECT,
        "requirements/build.txt": pin("hatchling==1.30.0"),
        "requirements/dev.txt": pin("Flask==3.1.3 ; python_version > '3'", "hatchling==1.30.0", "pytest==9.2.0"),
        "requirements/run.txt": pin("flask==3.1.3"),
        "tests/test_rooms.py": "def test_two_rooms():\n    assert True\n",
        ".venv/lib/utils.py": "ignored = True\n",
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds_here(rule: Rule, project_root: Path) -> None:
    assert rule(project_root) == []


def test_every_setting_is_documented_and_no_other(project_root: Path) -> None:
    assert rules.settings_undocumented(project_root, readme.settings_table()) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds_in_the_small_house(rule: Rule, house: Path) -> None:
    assert rule(house) == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "fault"),
    [
        (rules.long_modules, "app/rooms.py", "x = 1\n" * 301, "app/rooms.py has 301 lines, 300 is the ceiling"),
        (rules.long_modules, "fixtures/make.py", "x = 1\n" * 301, "fixtures/make.py has 301 lines, 300 is the ceiling"),
        (rules.empty_names, "hooks/utils.py", "", "hooks/utils.py says nothing about what it holds"),
        (rules.readme_tree, "app/attic.py", "", "app/attic.py is not in README.md: make readme"),
        (rules.readme_tree, "docs/plan.md", "", "docs/plan.md is not in README.md: make readme"),
        (
            rules.readme_tree,
            "README.md",
            README.replace("  rooms.py", "  halls.py"),
            "README.md shows app/halls.py, which does not exist: make readme",
        ),
        (
            rules.readme_tree,
            "README.md",
            README.replace("the project\n", "\n", 1),
            "README.md does not say what pyproject.toml holds",
        ),
        (
            rules.unused_dependencies,
            "pyproject.toml",
            PYPROJECT.replace('"flask', '"rich>=13", "flask'),
            "rich is a dependency that nothing imports",
        ),
        (
            rules.unused_dependencies,
            "hooks/walls.py",
            "def build():\n    import requests\n",
            "requests is imported and comes from no dependency of pyproject.toml",
        ),
        (
            rules.foreign_to_medicine,
            "hooks/walls.py",
            "def build():\n    from flask import g\n",
            "hooks/walls.py imports flask, which is neither hooks nor the standard library",
        ),
        (rules.unfinished, "hooks/walls.py", "x = 1\n# TO" + "DO: paint\n", "hooks/walls.py:2 leaves work undone"),
        (
            rules.unfinished,
            "tests/test_x.py",
            "import pytest\npytest.skip('no')\n",
            "tests/test_x.py:2 passes a test over (skip)",
        ),
        (
            rules.unfinished,
            "tests/test_x.py",
            "import pytest\n@pytest.mark.xfail\ndef test_x(): ...\n",
            "tests/test_x.py:2 passes a test over (xfail)",
        ),
        (
            rules.clock_readers,
            "app/rooms.py",
            "import datetime\nx = datetime.date.today()\n",
            "app/rooms.py:2 reads the clock (datetime.date.today)",
        ),
        (
            rules.clock_readers,
            "hooks/walls.py",
            "from datetime import datetime\nx = datetime.now(None)\n",
            "hooks/walls.py:2 reads the clock (datetime.now)",
        ),
        (
            rules.broken_links,
            "docs/plan.md",
            "[x](../gone.md)\n",
            "docs/plan.md links to ../gone.md, which does not exist",
        ),
        (
            rules.broken_links,
            "docs/plan.md",
            "![picture](../README.md#the-wood)\n",
            "docs/plan.md links to ../README.md#the-wood, but there is no such heading",
        ),
        (
            rules.outside_paths,
            "app/rooms.py",
            'x = "../sha' + 'red/data"\n',
            "app/rooms.py reads from outside the project",
        ),
        (rules.outside_paths, "Dockerfile", "COPY ../sha" + "red /data\n", "Dockerfile reads from outside the project"),
        (
            rules.stale_lock,
            "requirements/run.txt",
            pin("flask==2.0.0"),
            "requirements/run.txt does not answer flask<4,>=3.1: make lock",
        ),
        (
            rules.stale_lock,
            "requirements/build.txt",
            pin("flask==3.1.3"),
            "requirements/build.txt does not answer hatchling>=1.27: make lock",
        ),
        (
            rules.stale_lock,
            "requirements/run.txt",
            "--index-url https://example.org\n" + pin("flask==3.1.3"),
            "requirements/run.txt names a registry or a path",
        ),
        (
            rules.stale_lock,
            "requirements/run.txt",
            "--find-links /opt/wheels\n" + pin("flask==3.1.3"),
            "requirements/run.txt names a registry or a path",
        ),
        (rules.stale_lock, "requirements/run.txt", "flask==3.1.3\n", "requirements/run.txt: no hash for flask==3.1.3"),
        (
            rules.unknown_commands,
            "docs/plan.md",
            "Then `make tea`.\n",
            "docs/plan.md speaks of make tea, which does not exist",
        ),
        (
            rules.unknown_commands,
            ".ci/run",
            "make install\n",
            "CI runs make install, which README.md does not explain",
        ),
    ],
)
def test_the_rule_notices_a_breach(rule: Rule, path: str, text: str, fault: str, house: Path) -> None:
    write(house / path, text)

    assert fault in rule(house)


def test_what_git_ignores_needs_no_line_in_the_tree(house: Path) -> None:
    write(house / "app/__pycache__/rooms.pyc", "")
    write(house / "store.db", "")
    (house / "docs").mkdir()

    assert rules.readme_tree(house) == []


def test_only_the_factory_and_the_command_line_may_read_the_clock(house: Path) -> None:
    write(house / "app/cli/serve.py", "from datetime import date\nx = date.today()\n")

    assert rules.clock_readers(house) == []


def test_a_setting_without_its_row_is_noticed(house: Path) -> None:
    row = "| `CAT_CDS_ATTIC` | | what lies there |"

    assert rules.settings_undocumented(house, TABLE) == []
    assert rules.settings_undocumented(house, f"{TABLE}\n{row}") == [f"README.md, Settings, lacks: {row}"]


def test_a_variable_that_is_no_setting_is_noticed(house: Path) -> None:
    write(house / "docs/plan.md", "Set CAT_CDS_CELLAR to 1.\n")

    assert rules.settings_undocumented(house, TABLE) == ["CAT_CDS_CELLAR is not a setting"]


def test_renewing_the_readme_adds_what_is_new_and_keeps_what_people_wrote(house: Path) -> None:
    write(house / "app/attic.py", '"""Old things, in boxes. Nobody looks at them."""\n')
    table = TABLE + "\n| `CAT_CDS_ATTIC` | | what lies there |"

    text = readme.renewed(house, README.replace("  rooms.py           the rooms\n", ""), table)
    write(house / "README.md", text)

    words = {entry.path: entry.words for entry in readme.entries(text)}
    assert words["app/attic.py"] == "Old things, in boxes"
    assert words["app/rooms.py"] == "The rooms"
    assert words["fixtures/ehr/"] == "charts"
    assert rules.settings_undocumented(house, table) == []
    assert rules.readme_tree(house) == []
    assert "See [the tree](#the-tree)" in text
