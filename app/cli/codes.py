"""cat-cds codes: check the code lists, and lock them after a review."""

import warnings
from collections import defaultdict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from hooks.code_labels import Describe
from hooks.code_report import report
from hooks.tables import DATA, LOCK, KnowledgeError, relock

_data = click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=DATA,
    help="Directory of the knowledge [default: the one of this service]",
)


@click.group()
def codes() -> None:
    """Check the code lists, and lock them after a review."""


@codes.command(short_help="Look for faults in the code lists.")
@_data
@click.option("--counts", is_flag=True, help="Show how many rows each file has of each kind.")
def check(data: Path, *, counts: bool) -> None:
    """Look for duplicates, contradictions, wrong check digits, labels that do not fit, and files without a source."""
    describe = icd_10_cm()
    found = report(data, describe)
    for fault in found.faults:
        click.echo(f"{fault.file}{f':{fault.line}' if fault.line else ''}: {fault.words}")
    if counts:
        Console().print(_counted(found.counts))
    rows = sum(found.counts.values())
    click.echo(
        f"{rows} rows in {len({file for file, _ in found.counts})} files; compared: {', '.join(found.compared)}."
    )
    click.echo(f"{found.unverified} rows were found in no source that can be relied on.")
    if describe is None:
        click.echo("ICD-10-CM labels were not compared: the development packages are not installed.")
    if found.faults:
        raise click.ClickException(f"{len(found.faults)} faults in the code lists.")


@codes.command(short_help="Accept an edit that was reviewed.")
@_data
def lock(data: Path) -> None:
    """Write the hash of every listed file into sources.toml, once an edit has been reviewed."""
    path = data / LOCK
    try:
        before, after = path.read_text(encoding="utf-8"), relock(data)
        path.write_text(after, encoding="utf-8")
    except (OSError, KnowledgeError) as fault:
        raise click.ClickException(str(fault)) from None
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    click.echo(f"{sum(old != new for old, new in pairs)} files have a new hash in {LOCK}.")


def icd_10_cm() -> Describe | None:
    """The labels of ICD-10-CM by the package of that name; None where it is not installed."""
    with warnings.catch_warnings():  # it reads its file by a call that is going away
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            book = import_module("simple_icd_10_cm")
        except ImportError:
            return None

    def describe(code: str) -> str | None:
        return str(book.get_description(code)) if book.is_valid_item(code) else None

    return describe


def _counted(counts: Mapping[tuple[str, str], int]) -> Table:
    by_file: dict[str, list[str]] = defaultdict(list)
    for (file, kind), number in sorted(counts.items()):
        by_file[file].append(f"{kind} {number}")
    table = Table("File", "Rows of each kind", box=box.SIMPLE)
    for file, kinds in by_file.items():
        table.add_row(file, ", ".join(kinds))
    return table
