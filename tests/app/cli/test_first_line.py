"""Outside demo mode the first line of the log says where the service listens, and that it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.app.hospital import PUBLIC, listed


def test_the_first_line_says_where_it_listens(project_root: Path, tmp_path: Path) -> None:
    settings = listed(tmp_path)
    given = {
        "CAT_CDS_CLIENTS_FILE": str(settings.clients_file),
        "CAT_CDS_CARD_KEY": "k" * 32,
        "CAT_CDS_PUBLIC_URL": PUBLIC,
        "CAT_CDS_STATE_DIR": str(tmp_path),
    }
    command = [str(Path(sys.executable).parent / "cat-cds"), "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(
        command, cwd=project_root, stderr=subprocess.PIPE, text=True, env={**os.environ, **given}
    ) as process:
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        live = requests.get(f"http://{first['place']}/health/live", timeout=30)
        process.terminate()
        process.wait(30)
    assert (first["event"], first["level"], first["public_url"]) == ("listening", "info", PUBLIC)
    assert live.status_code == 200
