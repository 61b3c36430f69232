"""cat-cds rules: the rules as a short table in the terminal, or as the document docs/rules.md."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.card_text import COLOURS
from app.pages.document import document
from hooks import knowledge as all_knowledge
from hooks import rule_sheet
from hooks.tables import KnowledgeError
from hooks.threshold_words import load_words


@click.group()
def rules() -> None:
    """List the rules, or write them as a document."""


@rules.command("list", short_help="Show every rule in a table.")
def list_rules() -> None:
    """Show every rule with its hooks and the urgency of its cards under each profile.

    Hooks: view (a chart is opened), select (an order is picked), sign (orders are signed).
    """
    knowledge, words = _loaded(), load_words()
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("No.")
    table.add_column("Rule", no_wrap=True)
    table.add_column("Hooks", max_width=len("select, sign"))
    for profile in rule_sheet.profiles(knowledge):
        table.add_column(profile.name, min_width=len(profile.name))
    for rule in knowledge.rules:
        sheet = rule_sheet.sheet(knowledge, rule.code, words)
        hooks = ", ".join(hook.rpartition("-")[2] for hook in rule_sheet.HOOKS if hook in rule.hooks)
        table.add_row(str(rule.number), rule.code, hooks, *map(_urgencies, rule_sheet.indicators(sheet)))
    Console().print(table)


@rules.command(short_help="Write every rule as Markdown.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write [default: print]")
def doc(output: Path | None) -> None:
    """Write every rule with its texts, thresholds and evidence as Markdown."""
    text = document(_loaded())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise click.ClickException(f"{output} cannot be written: {fault.strerror}") from None
    click.echo(f"{output} is up to date.")


def _urgencies(words: tuple[str, ...]) -> Text:
    if not words:
        return Text("not used", style="dim")
    return Text(", ").join(Text(word, style=COLOURS[word]) for word in words)


def _loaded() -> all_knowledge.Knowledge:
    try:
        return all_knowledge.load()
    except KnowledgeError as fault:
        raise click.ClickException(str(fault)) from None
