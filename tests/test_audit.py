"What `make audit` makes of pip-audit's output."

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts/audit.py"
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}
SOUND = {"name": "sound", "version": "1", "vulns": []}
BROKEN = {"name": "broken", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNFIXED = {"name": "unfixed", "version": "4", "vulns": [{"id": "CVE-2", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("output", "status", "printed"),
    [
        pytest.param([UNKNOWN, SOUND], 0, "1 of 2 dependencies were checked.", id="sound"),
        pytest.param([SOUND, BROKEN], 1, "broken 2: CVE-1, fixed in 3", id="a vulnerability"),
        pytest.param([UNFIXED], 1, "unfixed 4: CVE-2, fixed in no version yet", id="without a fix"),
        pytest.param([UNKNOWN], 0, "not checked: the package index has no data", id="an index without data"),
        pytest.param(None, 0, "not checked: no route to host", id="no network"),
    ],
)
def test_audit(
    output: list[Any] | None,
    status: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stdout = "" if output is None else json.dumps({"dependencies": output, "fixes": []})
    done = subprocess.CompletedProcess[str]([], 1, stdout, "Traceback\nno route to host\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert runpy.run_path(str(SCRIPT))["main"]() == status
    assert printed in capsys.readouterr().out
