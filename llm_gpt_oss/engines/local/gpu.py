"How much memory the GPUs of this machine have, without a package for GPUs."

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import memory

NVIDIA_SMI = "nvidia-smi"
TIMEOUT = 10.0
# Linux has a file with the vendor's PCI id for each graphics card.
GRAPHICS_CARDS = Path("/sys/class/drm")
AMD, INTEL = "0x1002", "0x8086"
UNLIMITED = sys.maxsize


class GpuMemory(NamedTuple):
    "Bounds of the memory of all GPUs together, in bytes."

    least: int
    most: int


@cache
def gpu_memory() -> GpuMemory:
    """Return how much memory the GPUs have.

    NVIDIA's driver reports the memory of its GPUs. Others may use up to all of the installed memory.
    """
    try:
        own = _nvidia_memory()
    except (OSError, subprocess.SubprocessError, ValueError):
        return GpuMemory(0, UNLIMITED)
    shared = (memory.installed_memory() or UNLIMITED) if _has_other_gpu() else 0
    return GpuMemory(own, own + shared)


def _nvidia_memory() -> int:
    program = shutil.which(NVIDIA_SMI)
    if program is None:
        return 0
    command = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return sum(int(mebibytes) << 20 for mebibytes in done.stdout.split())


def _has_other_gpu() -> bool:
    "Whether there may be a GPU of another vendor. Only Linux tells."
    if sys.platform != "linux":
        return True
    vendors = {file.read_text().strip() for file in GRAPHICS_CARDS.glob("card*/device/vendor")}
    return not vendors.isdisjoint({AMD, INTEL})
