"""`make soak`: the service under mixed load for half an hour, then a verdict; exit status 1 when it is missed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.soak.page import markdown, show
from tests.soak.run import soak

PAGE = Path(__file__).resolve().parents[2] / "docs" / "soak.md"


def main() -> int:
    """Runs, prints the tables, writes the page; 1 when a criterion is missed."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=35, help="requests a second")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write the tables")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="cat-cds-soak-") as folder:
        came = soak(
            Path(folder),
            seconds=given.minutes * 60,
            rate=given.rate,
            tell=lambda words: print(f"{words} ...", file=sys.stderr, flush=True),
        )
    show(came)
    given.page.write_text(markdown(came, time.time()), encoding="utf-8")
    return 0 if came.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
