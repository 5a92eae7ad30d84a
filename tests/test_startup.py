"""What the plugin costs every `llm` command, also those for other models: few imports and one small file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_gpt_oss.log.database import open_database

# What `llm models`, or a prompt to another plugin's model, may import of this package.
LISTING = {
    "llm_gpt_oss",
    "llm_gpt_oss.catalog",
    "llm_gpt_oss.catalog.binding",
    "llm_gpt_oss.catalog.json_file",
    "llm_gpt_oss.catalog.models_file",
    "llm_gpt_oss.catalog.ollama_key",
    "llm_gpt_oss.catalog.tags",
    "llm_gpt_oss.cli",
    "llm_gpt_oss.errors",
    "llm_gpt_oss.llm_commands",
    "llm_gpt_oss.llm_internals",
    "llm_gpt_oss.models",
    "llm_gpt_oss.settings",
}

# What a prompt to another plugin's model may import besides, when there is a log and nothing waits for it.
PROMPTING = LISTING | {
    "llm_gpt_oss.log",
    "llm_gpt_oss.log.command",
    "llm_gpt_oss.log.database",
    "llm_gpt_oss.log.migrations",
    "llm_gpt_oss.log.redaction",
    "llm_gpt_oss.log.secret_patterns",
    "llm_gpt_oss.log.utf8_input",
    "llm_gpt_oss.log.views",
    "llm_gpt_oss.log.views.versions",
    "llm_gpt_oss.standard_output",
}

PROBE = Path(__file__).with_name("startup_probe.py")
SERVE = """
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
    path = tmp_path_factory.mktemp("llm")
    open_database(path / "logs.db", busy_timeout=100).close()
    return path


@pytest.fixture(scope="module")
def startup(user_path: Path) -> dict[str, Any]:
    environ = {**os.environ, "LLM_USER_PATH": str(user_path)}
    command = [sys.executable, str(PROBE)]
    done = subprocess.run(command, cwd=user_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_both_models_are_listed(startup: dict[str, Any]) -> None:
    assert "llm-gpt-oss" in startup["plugins"]
    assert {id: entry for id, entry in startup["models"].items() if "gpt-oss" in id} == {
        "gpt-oss:20b": ["GptOss on ollama: gpt-oss:20b", ["gpt-oss", "gpt-oss-20b"], True],
        "gpt-oss:120b": ["GptOss on ollama: gpt-oss:120b", ["gpt-oss-120b"], True],
    }


def test_nothing_heavy_is_imported(startup: dict[str, Any]) -> None:
    late = {"httpx", "jsonschema_rs", "fastapi", "starlette", "uvicorn", "proxy"}
    assert late & {name.partition(".")[0] for name in startup["modules"]} == set()


def test_listing_models_imports_nothing_that_only_a_prompt_needs(startup: dict[str, Any]) -> None:
    ours = {name for name in startup["modules"] if name.partition(".")[0] == "llm_gpt_oss"}
    assert ours - LISTING == set()


def test_a_prompt_to_another_model_imports_nothing_that_only_our_turns_need(startup: dict[str, Any]) -> None:
    assert startup["answer"] == "Hello\n"
    ours = {name for name in startup["prompt_modules"] if name.partition(".")[0] in ("llm_gpt_oss", "proxy")}
    assert ours - PROMPTING == set()


def test_only_the_models_file_is_opened(startup: dict[str, Any], user_path: Path) -> None:
    assert startup["opened"] == [str(user_path / "gpt-oss-models.json")]


def test_no_connection_and_no_other_process_is_opened(startup: dict[str, Any]) -> None:
    assert startup["called"] == []


def test_the_proxy_imports_neither_llms_commands_nor_its_plugins(user_path: Path) -> None:
    environ = {**os.environ, "LLM_USER_PATH": str(user_path), "OLLAMA_HOST": "127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", SERVE], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"llm.cli", "openai", "jsonschema_rs", "datasette", "pint"} & {*done.stdout.split()} == set()
