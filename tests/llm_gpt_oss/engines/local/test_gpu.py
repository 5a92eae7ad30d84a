from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fake_ollama import program

from llm_gpt_oss.engines.local import gpu, memory
from llm_gpt_oss.engines.local.gpu import UNLIMITED, GpuMemory, gpu_memory

INSTALLED = 16 << 30


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    "A Linux without GPUs. `cards(vendor)` adds a graphics card."
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(gpu, "GRAPHICS_CARDS", tmp_path)
    monkeypatch.setattr(memory, "installed_memory", lambda: INSTALLED)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def add(vendor: str) -> None:
        device = tmp_path / "card0" / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")

    gpu_memory.cache_clear()
    yield add
    gpu_memory.cache_clear()


@pytest.mark.parametrize(
    ("vendor", "most"),
    [
        pytest.param(None, 0, id="no graphics card"),
        pytest.param("0x1a03", 0, id="card of a server"),
        pytest.param(gpu.AMD, INSTALLED, id="AMD"),
        pytest.param(gpu.INTEL, INSTALLED, id="Intel"),
    ],
)
def test_memory_without_nvidia(cards: Callable[[str], None], vendor: str | None, most: int) -> None:
    if vendor:
        cards(vendor)
    assert gpu_memory() == GpuMemory(0, most)


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        pytest.param("echo 24564; echo 24564", GpuMemory(49128 << 20, 49128 << 20), id="two GPUs"),
        pytest.param("echo '[N/A]'", GpuMemory(0, UNLIMITED), id="shared memory"),
        pytest.param("exit 9", GpuMemory(0, UNLIMITED), id="no driver"),
    ],
)
def test_memory_of_nvidias_gpus(tmp_path: Path, script: str, found: GpuMemory) -> None:
    program(tmp_path / "bin" / gpu.NVIDIA_SMI, script)
    assert gpu_memory() == found


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(("installed", "most"), [(INSTALLED, INSTALLED), (None, UNLIMITED)])
def test_other_systems_may_use_all_memory(
    monkeypatch: pytest.MonkeyPatch, installed: int | None, most: int
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(memory, "installed_memory", lambda: installed)
    assert gpu_memory() == GpuMemory(0, most)
