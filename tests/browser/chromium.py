"""Where Debian's Chromium is, and how it is started so that it talks to nobody but the pages of the test."""

import shutil

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The path of the installed Chromium, None when there is none."""
    return shutil.which("chromium")
