from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_gpt_oss.engines.local import memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MEMINFO", "LIMIT", "USED"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    return tmp_path


def test_linux_says_what_is_free(system: Path) -> None:
    (system / "MEMINFO").write_text("MemTotal:  9000 kB\nMemAvailable:    2000 kB\n")
    assert memory.available_memory() == 2000 * 1024


@pytest.mark.parametrize(("limit", "free"), [("1500000", 1_400_000), ("max", 2_048_000), ("50", 0)])
def test_a_container_may_have_less(system: Path, limit: str, free: int) -> None:
    (system / "MEMINFO").write_text("MemAvailable:    2000 kB\n")
    (system / "LIMIT").write_text(limit)
    (system / "USED").write_text("100000")
    assert memory.available_memory() == free


def test_an_old_linux_says_nothing(system: Path) -> None:
    (system / "MEMINFO").write_text("MemTotal:  9000 kB\n")
    assert memory.available_memory() is None


def test_elsewhere_it_is_all_that_is_built_in(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert memory.available_memory() == 40960
    monkeypatch.delattr(os, "sysconf")
    assert memory.available_memory() is None
