"`make run` on a machine without Ollama: every step works, with the tiny model of this repository."

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import tiny

ROOT = Path(__file__).parent.parent
LABEL = "[gpt-oss-tiny, a tiny model for tests. Its answers say nothing about gpt-oss:20b]"


@tiny.needs_xllamacpp
@pytest.mark.skipif(sys.platform == "win32" or shutil.which("curl") is None, reason="needs a shell and curl")
def test_first_run_without_ollama(tmp_path: Path) -> None:
    bin = Path(sys.executable).parent
    environ = {
        **os.environ,
        "OLLAMA_HOST": "127.0.0.1:1",
        "BIN": str(bin),
        "PROMPT": "What is SQLite? It's $5",
    }
    command = ["./scripts/first_run.sh"]
    process = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "gpt-oss:20b cannot answer yet. Ollama does not answer at http://127.0.0.1:1" in process.stdout
    assert "Type 'make run YES=1' to install what it needs" in process.stdout
    assert process.stderr.count(LABEL) == 3, "one for each answer in the terminal"
    assert process.stdout.count(LABEL) == 1, "one for the answer of the server"
    assert '{"name": "Rex", "age": ' in process.stdout
    assert "Tool call: llm_time({})" in process.stderr
    assert "- model: gpt-oss-tiny" in process.stdout
    [answer] = [line for line in process.stdout.splitlines() if line.startswith('{"id"')]
    message = json.loads(answer)["choices"][0]["message"]
    assert (message["content"], bool(message["reasoning"])) == ("Hello!", True)
    assert json.loads(answer)["model"] == "gpt-oss-tiny"
