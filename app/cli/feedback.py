"""``cat-cds feedback report``: what was shown, and what clinicians did with it."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import click
import orjson
from rich.console import Console
from rich.table import Table

from app.cli.db import give_up, open_store
from app.settings import SettingsError
from app.store.database import StoreDownError, StoreError
from app.store.report import Line, Reason, lines, totals

_NUMBERS = ("shown", "silent", "held", "accepted", "overridden")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """How rules and reasons are called."""

    rule: Callable[[int], str]
    reason: Callable[[Reason], str]


@click.group()
def feedback() -> None:
    """What clinicians did with the cards."""


@feedback.command(short_help="Show the numbers, per rule and client.")
@click.option("--client", help="Name of one client; left out: all.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="First day, such as 2026-03-01 (UTC).")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def report(client: str | None, since: datetime | None, form: str) -> None:
    """Per rule and client: shown, silent, held back, accepted, overridden and why; as text also week by week."""
    try:
        database = open_store()
        try:
            database.check()
            weekly = lines(database, client=client, since=since.date() if since else None)
        finally:
            database.close()
    except (SettingsError, StoreError, StoreDownError) as wrong:
        give_up(wrong)
        return
    forms = {"text": _text, "csv": _csv, "json": _json}
    click.echo(forms[form](weekly, _words()), nl=False)


def _words() -> _Words:
    from app.store.report import reason_in_words
    from hooks import knowledge

    known = knowledge.load()
    codes = {row.number: row.code for row in known.rules}
    return _Words(
        rule=lambda number: codes.get(number, f"rule {number}") if number else "(cards of nobody here)",
        reason=lambda reason: reason_in_words(reason, frozenset(known.override_reasons)),
    )


def _text(weekly: Sequence[Line], words: _Words) -> str:
    if not weekly:
        return "Nothing was shown and no feedback came.\n"
    out = io.StringIO()
    console = Console(file=out, width=160, color_system=None)
    console.print(_table("All weeks", totals(weekly), words, by_week=False))
    console.print(_table("By week", weekly, words, by_week=True))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(title: str, some: Sequence[Line], words: _Words, *, by_week: bool) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    if by_week:
        table.add_column("week of")
    table.add_column("rule", no_wrap=True)
    table.add_column("client")
    for name in _NUMBERS:
        table.add_column(name, justify="right")
    table.add_column("overridden because")
    for line in some:
        reasons = ", ".join(f"{words.reason(reason)} {number}" for reason, number in line.given_reasons)
        week = [line.week.isoformat()] if by_week else []
        numbers = [str(getattr(line, name)) for name in _NUMBERS]
        table.add_row(*week, words.rule(line.rule), line.client, *numbers, reasons)
    return table


def _csv(weekly: Sequence[Line], words: _Words) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["week", "rule", "client", *_NUMBERS, "reasons"])
    for line in weekly:
        reasons = "; ".join(f"{words.reason(reason)}={number}" for reason, number in line.given_reasons)
        numbers = [getattr(line, name) for name in _NUMBERS]
        writer.writerow([line.week.isoformat(), words.rule(line.rule), line.client, *numbers, reasons])
    return out.getvalue()


def _json(weekly: Sequence[Line], words: _Words) -> str:
    def told(line: Line) -> dict[str, object]:
        reasons = {words.reason(reason): number for reason, number in line.given_reasons}
        numbers = {name: getattr(line, name) for name in _NUMBERS}
        return {"rule": words.rule(line.rule), "client": line.client, **numbers, "reasons": reasons}

    content = {
        "totals": [told(line) for line in totals(weekly)],
        "weeks": [{"week": line.week.isoformat(), **told(line)} for line in weekly],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
