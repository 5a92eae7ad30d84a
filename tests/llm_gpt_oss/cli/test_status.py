from __future__ import annotations

import json
import re
from typing import Any

import llm
import pytest
import sqlite_utils
from llm.migrations import migrate
from support import tiny
from support.commands import INSTALLED, LOADED, TAG, run
from support.webserver import WebServer, lines

from llm_gpt_oss.cli.terminal import format_time
from llm_gpt_oss.engines.embedded import loaded_models
from llm_gpt_oss.engines.embedded.process import ModelProcess
from llm_gpt_oss.engines.local import memory
from llm_gpt_oss.engines.local.model_pool import ModelPool


def test_status_as_text(ollama: WebServer) -> None:
    until = format_time(LOADED["expires_at"])
    result = run("status")
    assert result.exit_code == 0
    own, others = result.stdout.splitlines()[:7], result.stdout.splitlines()[7:]
    assert own == [
        f"Engine     ollama: 0.33.0 at {ollama.url}",
        "Model      gpt-oss:20b",
        "Installed  yes, 13.8 GB",
        f"Loaded     yes, 14.0 GB 50 % on the GPU, until {until}",
        "Context    8192 tokens, at most 131072",
        f"Log        {llm.user_dir()}/logs.db, nothing yet",
        "Logging    on",
    ]
    assert re.fullmatch(r"Others     embedded: .*; no model for it", others[0])
    assert others[1:4] == [
        "           llama-server: no model was added with --llama-server URL",
        "           completions: no model was added with --completions URL",
        "           proxy: no model was added with --proxy URL",
    ]
    assert re.fullmatch(r"           transformers: .*; no model for it", others[4])
    assert result.stderr == ""


def test_status_shows_the_last_turn(ollama: WebServer) -> None:
    database = sqlite_utils.Database(llm.user_dir() / "logs.db")
    migrate(database)  # type: ignore[no-untyped-call]
    assert "Last turn" not in run("status").stdout
    database["turns"].insert_all({"id": f"01m8r{n}"} for n in (2, 3, 1))
    database.close()
    assert "Last turn  `llm gpt-oss explore 01m8r3` shows it" in run("status").stdout.splitlines()
    assert json.loads(run("status", "--json").stdout)["last_turn"] == "01m8r3"


def test_status_as_json(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 20_000_000_000)
    (llm.user_dir() / "logs.db").write_bytes(b"12345")
    (llm.user_dir() / "logs-off").touch()
    result = run("status", "--json")
    assert result.exit_code == 0
    status = json.loads(result.stdout)
    assert list(status.pop("engines")) == ["embedded", "llama-server", "completions", "proxy", "transformers"]
    assert status == {
        "engine": "ollama",
        "server": ollama.url,
        "model": TAG,
        "log": f"{llm.user_dir()}/logs.db",
        "log_size": 5,
        "last_turn": None,
        "logging": False,
        "log_problems": [
            f"Turns cannot be logged: file is not a database. Make {llm.user_dir()}/logs.db writable, and "
            "end what keeps it locked."
        ],
        "version": "0.33.0",
        "installed": True,
        "size": 13_780_000_000,
        "loaded": True,
        "context_length": 8192,
        "fixed_context": False,
        "trained_context": 131072,
        "possible_context": 131072,
        "parameters": 20_914_757_184,
        "vocabulary": None,
        "embedding_length": 2880,
        "memory": 14_000_000_000,
        "memory_on_gpu": 7_000_000_000,
        "expires_at": LOADED["expires_at"],
        "problem": None,
        "ready": True,
    }


def test_status_warns_about_turns_that_are_not_logged(ollama: WebServer) -> None:
    folder = llm.user_dir() / "logs.db-unlogged"
    folder.mkdir()
    (folder / "1.json").touch()
    result = run("status")
    assert result.exit_code == 0
    assert result.stderr == (
        f"Warning: 1 turn waits in {folder}. A running server logs them as soon as it can. If none runs, "
        "type `llm gpt-oss logs waiting --retry`.\n"
    )


def test_text_of_the_engine_that_cannot_be_encoded(ollama: WebServer) -> None:
    ollama.routes["/api/version"] = lines({"version": "0.9\ud83d"})
    result = run("status")
    assert (result.exit_code, result.exception) == (0, None)
    assert "ollama: 0.9\\ud83d at http" in result.stdout


TINY = {"name": "tiny:latest", "size": 7}


@pytest.mark.parametrize(
    ("routes", "text", "problem"),
    [
        pytest.param(
            {"/api/tags": {"models": [INSTALLED]}},
            "Installed  no\nLoaded     no",
            "Ollama has no model tiny. Type `llm gpt-oss pull tiny`.",
            id="not pulled",
        ),
        pytest.param(
            {"/api/tags": {"models": [TINY]}, "/api/show": {"details": {"family": "bert"}}},
            "Installed  yes, 7 B\nLoaded     no",
            "bert",
            id="another family",
        ),
        pytest.param(
            {"/api/tags": {"error": "disk on fire"}}, "Installed  no", "disk on fire", id="server error"
        ),
    ],
)
def test_status_explains_problems(routes: dict[str, Any], text: str, problem: str, ollama: WebServer) -> None:
    ollama.routes |= {path: lines(answer) for path, answer in routes.items()}
    result = run("status", "tiny")
    assert result.exit_code == 1
    assert text in result.stdout
    assert problem in result.stderr
    as_json = run("status", "tiny", "--json")
    assert (as_json.exit_code, as_json.stderr) == (1, "")
    assert json.loads(as_json.stdout)["ready"] is False
    assert problem in json.loads(as_json.stdout)["problem"]


def test_gpt_oss_under_another_name_is_ready(ollama: WebServer) -> None:
    ollama.routes["/api/tags"] = lines({"models": [TINY]})
    ollama.routes["/api/show"] = lines({"details": {"family": "gptoss"}})
    assert run("status", "tiny").exit_code == 0


@pytest.mark.usefixtures("no_ollama")
def test_status_without_a_server() -> None:
    (llm.user_dir() / "logs-off").touch()
    output = run("status").stdout
    assert "Engine     ollama: no answer at http://127.0.0.1:1\n" in output
    assert "Installed  unknown\nLoaded     unknown\n" in output
    assert "Logging    off: `llm logs on` turns it on\n" in output


def test_model_that_is_not_loaded_is_ready(ollama: WebServer) -> None:
    ollama.routes["/api/ps"] = lines({"models": []})
    ollama.routes["/api/tags"] = lines(
        {"models": [{"name": TAG, "size": 1}]}
    )  # an unknown family is accepted
    result = run("status", "gpt-oss-20b")
    assert result.exit_code == 0
    assert "Loaded     no\n" in result.stdout


def test_older_servers_report_less(ollama: WebServer) -> None:
    ollama.routes["/api/ps"] = lines({"models": [{"name": TAG, "size": 10, "size_vram": 0}]})
    assert "Loaded     yes, 10 B on the CPU\n" in run("status").stdout


def test_secrets_are_not_shown(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", ollama.url.replace("//", "//me:pa55@"))
    monkeypatch.setenv("OLLAMA_API_KEY", "hidden")
    for arguments in (["status"], ["status", "--json"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "pa55" not in result.output
        assert "hidden" not in result.output
    assert ollama.requests[0][1]["Authorization"] == "Basic bWU6cGE1NQ=="


def test_status_sends_the_stored_key(ollama: WebServer) -> None:
    (llm.user_dir() / "keys.json").write_text(json.dumps({"ollama": "k"}))
    run("status")
    assert ollama.requests[0][1]["Authorization"] == "Bearer k"


@tiny.needs_xllamacpp
def test_model_on_another_engine(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pool without the models of other tests.
    monkeypatch.setattr(loaded_models, "pool", lambda: ModelPool(ModelProcess))
    run("models", "add", "mine", "--gguf", str(tiny.FILE))
    output = run("status", "mine").stdout.splitlines()
    assert output[0].startswith("Engine     embedded: ")
    assert output[0].endswith(f" at {tiny.FILE}")
    assert output[2:4] == ["Installed  yes, 14.9 MB", "Loaded     no"]
    assert f"Others     ollama: 0.33.0 at {ollama.url}" in output
    assert f"mine from {tiny.FILE}" in run("status").stdout


@pytest.mark.usefixtures("no_ollama")
def test_engine_option() -> None:
    result = run("status", "--engine", "embedded")
    assert result.exit_code == 1
    assert "There is no file of gpt-oss:20b to load: Ollama has not downloaded it" in result.stderr
    assert "ollama: Ollama does not answer at http://127.0.0.1:1" in result.stdout
    assert "There is no engine called 'x'" in run("status", "--engine", "x").stderr


def test_server_that_reports_no_size(ollama: WebServer) -> None:
    ollama.routes["/v1/models"] = lines({"data": [{"id": "mine", "owned_by": "vllm"}]})
    run("models", "add", "mine", "--completions", ollama.url)
    output = run("status", "mine").stdout.splitlines()
    assert output[0] == f"Engine     completions: vllm at {ollama.url}"
    assert output[2:4] == ["Installed  yes", "Loaded     yes"]
