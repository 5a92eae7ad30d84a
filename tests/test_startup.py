"""What everybody who has the plugin pays, whatever model they ask: next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROBE = Path(__file__).with_name("startup_probe.py")
SERVING = """
import sys, uvicorn
from proxy.cli.serve import command
def run(self, sockets):
    self.started = True
    print(*sys.modules)
uvicorn.Server.run = run
command(["--port", "0"])
"""


@pytest.fixture(scope="module")
def user_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llm")


@pytest.fixture(scope="module")
def startup(user_path: Path) -> dict[str, Any]:
    environ = {**os.environ, "LLM_USER_PATH": str(user_path)}
    command = [sys.executable, str(PROBE)]
    done = subprocess.run(command, cwd=user_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_models_are_there(startup: dict[str, Any]) -> None:
    assert "llm-gpt-oss" in startup["plugins"]
    assert {id: entry for id, entry in startup["models"].items() if "gpt-oss" in id} == {
        "gpt-oss:20b": [["gpt-oss", "gpt-oss-20b"], True],
        "gpt-oss:120b": [["gpt-oss-120b"], True],
    }


def test_nothing_heavy_is_imported(startup: dict[str, Any]) -> None:
    ours_to_load_late = {"httpx", "jsonschema", "fastapi", "starlette", "uvicorn", "proxy"}
    assert ours_to_load_late & {*startup["packages"]} == set()


def test_only_the_models_file_is_opened(startup: dict[str, Any], user_path: Path) -> None:
    assert startup["opened"] == [str(user_path / "gpt-oss-models.json")]


def test_nobody_is_called(startup: dict[str, Any]) -> None:
    assert startup["left"] == []


def test_the_proxy_starts_without_llms_commands_and_plugins(user_path: Path) -> None:
    environ = {**os.environ, "LLM_USER_PATH": str(user_path), "OLLAMA_HOST": "127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", SERVING], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"llm.cli", "openai", "jsonschema"} & {*done.stdout.split()} == set()
