"`make run` on a bare machine: every step of it answers, with the tiny model that the repository ships."

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
LABEL = "[gpt-oss-tiny, the tiny model for tests: not gpt-oss:20b, and no measure of it]"


@tiny.needs_xllamacpp
@pytest.mark.skipif(sys.platform == "win32" or shutil.which("curl") is None, reason="needs a shell and curl")
def test_everything_answers_without_ollama(tmp_path: Path) -> None:
    bin = Path(sys.executable).parent
    environ = {
        **os.environ,
        "OLLAMA_HOST": "127.0.0.1:1",
        "BIN": str(bin),
        "PROMPT": "What is SQLite? It's $5",
    }
    command = ["./scripts/first_run.sh"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "gpt-oss:20b cannot answer yet. Error: Ollama does not answer at http://127.0.0.1:1" in done.stdout
    assert "'make run YES=1' gets all that it needs" in done.stdout
    assert done.stderr.count(LABEL) == 3, "each answer in the terminal"
    assert done.stdout.count(LABEL) == 1, "the proxy's"
    assert '{"name": "Rex", "age": ' in done.stdout
    assert "Tool call: llm_time({})" in done.stderr
    assert "- model: gpt-oss-tiny" in done.stdout
    [answer] = [line for line in done.stdout.splitlines() if line.startswith('{"id"')]
    message = json.loads(answer)["choices"][0]["message"]
    assert (message["content"], bool(message["reasoning"])) == ("Hello!", True)
    assert json.loads(answer)["model"] == "gpt-oss-tiny"
