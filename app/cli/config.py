"""cat-cds config: check the settings and the clients file without starting, or show a clients file with every key."""

import sys
from pathlib import Path

import click

from app import clients_file, known_names
from app.clients_file import ClientsFile
from app.settings import Settings, SettingsError, load
from hooks import knowledge as all_knowledge
from hooks.tables import KnowledgeError

EXIT_WRONG_SETTINGS = 2


@click.group()
def config() -> None:
    """Check the settings and the clients file, or show an example of one."""


@config.command(short_help="Look for what would stop the start.")
@click.option(
    "--clients",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Clients file to check [default: the one of CAT_CDS_CLIENTS_FILE]",
)
def check(clients: Path | None) -> None:
    """Look for what would stop the start, or a client's calls; every fault with file, line and remedy."""
    faults = []
    settings: Settings | None = None
    try:
        settings = load(clients_file=clients)
    except SettingsError as wrong:
        faults.append(str(wrong))
    path = clients or (settings.clients_file if settings else None)
    file = clients_file.read(path) if path is not None else None
    if file is not None:
        faults += [
            str(fault)
            for fault in (*file.faults, *clients_file.internal_addresses(file), *clients_file.unusable_keys(file))
        ]
    faults += _unknown(settings, file)
    for fault in faults:
        click.echo(f"cat-cds: {fault}", err=True)
    if faults:
        sys.exit(EXIT_WRONG_SETTINGS)
    of_clients = ""
    if file is not None:
        count = len(file.clients)
        of_clients = f", {count} client{'' if count == 1 else 's'} in {file.path}"
    click.echo(f"The settings are right{of_clients}.")


def _unknown(settings: Settings | None, file: ClientsFile | None) -> list[str]:
    packs = frozenset(settings.code_packs) or None if settings else None
    try:
        knowledge = all_knowledge.load(packs, settings.local_codes if settings else None)
    except KnowledgeError as wrong:
        return [str(wrong)]
    faults = []
    if settings is not None and settings.guideline not in knowledge.profiles:
        faults.append(
            f"CAT_CDS_GUIDELINE: there is no profile {settings.guideline}. "
            f"Use one of: {', '.join(sorted(knowledge.profiles))}."
        )
    if file is not None:
        faults += [str(fault) for fault in clients_file.unknown_names(file, known_names(knowledge))]
    return faults


@config.command()
def example() -> None:
    """Print a clients file that shows every key."""
    click.echo(clients_file.example(), nl=False)
