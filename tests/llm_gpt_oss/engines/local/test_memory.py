from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_gpt_oss.engines.local import memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MEMINFO", "CGROUP_LIMIT", "CGROUP_USAGE"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    return tmp_path


def test_linux_reports_available_memory(system: Path) -> None:
    (system / "MEMINFO").write_text("MemTotal:  9000 kB\nMemAvailable:    2000 kB\n")
    assert memory.available_memory() == 2000 * 1024


@pytest.mark.parametrize(
    ("limit", "free"),
    [
        pytest.param("1500000", 1_400_000, id="less than the machine has"),
        pytest.param("max", 2_048_000, id="no limit"),
        pytest.param("50", 0, id="exceeded"),
    ],
)
def test_limit_of_a_container(system: Path, limit: str, free: int) -> None:
    (system / "MEMINFO").write_text("MemAvailable:    2000 kB\n")
    (system / "CGROUP_LIMIT").write_text(limit)
    (system / "CGROUP_USAGE").write_text("100000")
    assert memory.available_memory() == free


def test_linux_without_available_memory(system: Path) -> None:
    (system / "MEMINFO").write_text("MemTotal:  9000 kB\n")
    assert memory.available_memory() is None


def test_other_systems_report_installed_memory(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert memory.available_memory() == 40960
    monkeypatch.delattr(os, "sysconf")
    assert memory.available_memory() is None
