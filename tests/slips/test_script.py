"`make slips`, with one row."

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def slips_table(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "slips.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_row_that_is_right() -> None:
    ended = slips_table("--engine", "ollama", "--json", "a whole turn without a mistake")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(line["ok"], line["engine"], line["stream"]) for line in lines] == [
        (True, "ollama", True),
        (True, "ollama", False),
    ]
    assert lines[0]["came"]["text"] == "Yes."


def test_no_row_at_all_is_a_failure() -> None:
    ended = slips_table("--engine", "ollama", "no row has this name")
    assert (ended.returncode, ended.stdout) == (1, "0 of 0 ok\n")
