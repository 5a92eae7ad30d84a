"""How much memory this machine has left, and the error for a model that needs more."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import OutOfMemory

MEMINFO = Path("/proc/meminfo")
# The limit and the usage of a container, in control groups version 2.
CGROUP_LIMIT, CGROUP_USAGE = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def available_memory() -> int | None:
    """Return the free memory in bytes.

    Systems other than Linux do not report it: there it is all installed memory, or None if that is unknown.
    """
    return _available_on_linux() if MEMINFO.exists() else installed_memory()


def _available_on_linux() -> int | None:
    lines = MEMINFO.read_text().splitlines()
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    limit = _left_in_container()
    return free if limit is None else min(limit, free or limit)


def _left_in_container() -> int | None:
    try:
        return max(0, int(CGROUP_LIMIT.read_text()) - int(CGROUP_USAGE.read_text()))
    except (OSError, ValueError):  # no control group, or the limit is "max"
        return None


def installed_memory() -> int | None:
    "Return all memory of this machine in bytes, None if it is unknown."
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, or a system without these names
        return None


def insufficient_memory(
    path: str, context: int, required: int, available: int, gpu: int, *, reason: str = "", advice: str = ""
) -> OutOfMemory:
    """Return the error for a model that would not fit. Sizes are in bytes, `gpu` is the free memory of GPUs.

    `reason` explains why the model needs so much, `advice` is added to the remedy.
    """
    on_gpu = f" and {_gigabytes(gpu)} on the GPU" if gpu else ""
    return OutOfMemory(
        f"{path} needs about {_gigabytes(required)} of memory with a context of {context} tokens{reason}, "
        f"and {_gigabytes(available)} are free{on_gpu}.",
        remedy="Close other programs, type `-o num_ctx 4096` for a shorter context, or use a smaller model."
        + advice,
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
