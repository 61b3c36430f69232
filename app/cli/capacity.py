"""What this machine allows a process: cores and open files."""

import math
import os
import resource
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")

LEAST_WORKERS = 2
"""So that one answers while the other one is replaced."""

MOST_WORKERS = 32
FILES = 8_192
"""Connections and everything else that is open, per worker."""


def cores(cgroup: Path = _CGROUP) -> int:
    """How many cores this process may use at a time, at least one.

    Those that it may run on, and no more than the container's share of time makes up, rounded up.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return allowed if share is None else max(1, min(allowed, math.ceil(share)))


def workers(cores: int) -> int:
    """How many workers suit so many cores: each keeps one busy."""
    return max(LEAST_WORKERS, min(cores, MOST_WORKERS))


def allow_files(wanted: int = FILES) -> int:
    """Let this process open so many files, or as many as the system lets it; that number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def _share(cgroup: Path) -> float | None:
    """Cores that the container may use by its CPU limit (cgroup version 2, then 1); None without a limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        except (OSError, ValueError):
            return None
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
    return share if share > 0 else None
