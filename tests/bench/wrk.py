"""wrk, which asks a server over so many connections as fast as it answers, and what it tells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("BODY", "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, _)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("[%d, %d, %d, %d, %d, %d]\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), failed))
end
"""
MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one turn of wrk measured: requests, latencies in milliseconds, requests not answered with 2xx."""

    requests: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    failed: int


def check() -> None:
    """End with the remedy when wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed. On Debian or Ubuntu: make system-deps, or apt-get install wrk")


def script(folder: Path, name: str, body: bytes) -> Path:
    """A script for wrk that posts ``body``, in ``folder``."""
    (folder / f"{name}.json").write_bytes(body)
    path = folder / f"{name}.lua"
    path.write_text(LUA.replace("BODY", str(folder / f"{name}.json")), encoding="utf-8")
    return path


def ask(url: str, script: Path, connections: int, seconds: int, *, anywhere: bool = False) -> Told:
    """One turn of so many seconds over so many connections, on the last core where there are several.

    ``anywhere`` leaves the core to the system.
    """
    cores = sorted(os.sched_getaffinity(0))
    core = ["taskset", "-c", str(cores[-1])] if len(cores) > 1 and not anywhere else []
    command = [*core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    requests_done, microseconds, p50, p95, p99, failed = orjson.loads(told)
    return Told(
        requests=requests_done,
        per_second=requests_done / microseconds * MICROSECONDS,
        p50_ms=p50 / 1000,
        p95_ms=p95 / 1000,
        p99_ms=p99 / 1000,
        failed=failed,
    )
