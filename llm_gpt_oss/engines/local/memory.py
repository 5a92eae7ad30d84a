"How much memory this machine has to give."

from __future__ import annotations

import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
# What a container may take, where it is limited.
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def available_memory() -> int | None:
    "Bytes. Where the system does not say how much is free, all that is built in; None where it says nothing."
    return _free() if MEMINFO.exists() else _built_in()


def _free() -> int | None:
    lines = MEMINFO.read_text().splitlines()
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    limit = _limit()
    return free if limit is None else min(limit, free or limit)


def _limit() -> int | None:
    try:
        return max(0, int(LIMIT.read_text()) - int(USED.read_text()))
    except (OSError, ValueError):  # there is none, or it is "max"
        return None


def _built_in() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, or a system without these names
        return None
