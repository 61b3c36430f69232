"""The steps by which the tables came to be as they are, run by Alembic."""

from pathlib import Path

import sqlalchemy as sa

HEAD = "0001"
"""The newest step: what ``app.store.tables`` describes."""


def upgrade(connection: sa.Connection, found: str | None) -> bool:
    """Bring the tables from version ``found`` to ``HEAD`` in the transaction at hand; False when it is unknown."""
    from alembic import command  # noqa: PLC0415 - slow to import, and needed only when something is to be done
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        return False
    command.upgrade(config, HEAD)
    return True
