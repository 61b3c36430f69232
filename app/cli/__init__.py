"""The console command ``cat-cds``. Each subcommand is imported when it is asked for."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import click

SUBCOMMANDS = {
    "serve": ("app.cli.serve", "serve", "Start the service."),
    "config": ("app.cli.config", "config", "Check the settings and the clients file, or show an example of one."),
    "try": ("app.cli.try_patient", "try_patient", "Show the cards of a demo patient in the terminal."),
    "db": ("app.cli.db", "db", "Make, renew and check the tables of the store."),
    "feedback": ("app.cli.feedback", "feedback", "Tell what clinicians did with the cards."),
    "codes": ("app.cli.codes", "codes", "Check the code lists, and lock them after a review."),
    "rules": ("app.cli.rules", "rules", "List the rules, or write them as a document."),
}
"""Name, module, command in it, and the line that help shows."""

WHERE_TO_BEGIN = """\b
To begin with:
  cat-cds serve --demo                 invented patients, no settings needed
  cat-cds try brief --order apixaban   in a second terminal

Settings are environment variables CAT_CDS_*: README.md lists them, "cat-cds config check" finds their faults.
"""
"""What help ends with."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: what is loaded stays, and walking over it again and again takes its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Lazy(click.Group):
    """A group that knows its subcommands by name and loads one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, name, _ = SUBCOMMANDS[cmd_name]
        with uncollected():
            command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in SUBCOMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]}, epilog=WHERE_TO_BEGIN)
@click.version_option(package_name="cat-cds")
def main() -> None:
    """A CDS Hooks service for venous thromboembolism in people with cancer.

    Every command tells more with --help.
    """
