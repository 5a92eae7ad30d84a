from __future__ import annotations

import llm
import pytest
from support.commands import INSTALLED, LOADED, run
from support.webserver import Answer, WebServer, lines

from llm_gpt_oss.cli.terminal import format_time


def test_pull_shows_progress(ollama: WebServer) -> None:
    layer = {"status": "pulling 123456789abc", "digest": "sha256:1", "total": 2_000_000}
    steps = [{**layer, "completed": size} for size in (0, 100_000, 1_000_000, 1_000_001, 2_000_000)]
    ollama.routes["/api/pull"] = lines({"status": "pulling manifest"}, *steps, {"status": "success"})
    result = run("pull", "127.0.0.1:5000/library/tiny", "--insecure")
    assert result.stderr.splitlines() == [
        "pulling manifest",
        "pulling 123456789abc: 0 % of 2.0 MB",
        "pulling 123456789abc: 50 % of 2.0 MB",
        "pulling 123456789abc: 100 % of 2.0 MB",
        "success",
    ]
    assert result.stdout == "127.0.0.1:5000/library/tiny is installed.\n"
    assert ollama.bodies == [{"model": "127.0.0.1:5000/library/tiny", "stream": True, "insecure": True}]


def test_pull_of_an_invalid_tag(ollama: WebServer) -> None:
    result = run("pull", "not a tag")
    assert (result.exit_code, ollama.requests) == (1, [])
    assert result.stderr.startswith("Error: 'not a tag' is not a model name.")


UNTIL = format_time(LOADED["expires_at"])
DETAILS = f"14.0 GB 50 % on the GPU, context of 8192 tokens, until {UNTIL}"


def test_warm(ollama: WebServer) -> None:
    result = run("warm")
    assert result.stdout == f"gpt-oss:20b is loaded: {DETAILS}.\n"
    assert result.stderr == "Loading gpt-oss:20b into memory\n"
    ollama.routes["/api/ps"] = lines({"models": []})
    assert run("warm").stdout == "gpt-oss:20b is loaded.\n"


def test_unload(ollama: WebServer) -> None:
    ollama.routes["/api/generate"] = lines({"done": True, "done_reason": "unload"})
    assert run("unload").stdout == "gpt-oss:20b is unloaded.\n"
    assert ollama.bodies[-1] == {"model": "gpt-oss:20b", "stream": False, "keep_alive": 0}
    ollama.routes["/api/ps"] = lines({"models": []})
    assert run("unload", "gpt-oss-120b").stdout == "gpt-oss:120b was not loaded.\n"
    assert ollama.bodies[-1]["model"] == "gpt-oss:120b"


@pytest.mark.parametrize("command", ["warm", "unload"])
def test_warm_and_unload_need_the_model(ollama: WebServer, command: str) -> None:
    ollama.routes["/api/generate"] = Answer(b'{"error": "model \'gpt-oss:x\' not found"}', 404)
    result = run(command, "gpt-oss:x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: Ollama has no model gpt-oss:x. Type `ollama pull " in result.stderr


def test_other_models_in_memory_are_named(ollama: WebServer) -> None:
    other = {"name": "llama3:8b", "size": 5_000_000_000}
    ollama.routes["/api/ps"] = lines({"models": [other, LOADED]})
    line = "Also loaded: llama3:8b, 5.0 GB on the CPU.\n"
    assert run("warm").stdout == f"gpt-oss:20b is loaded: {DETAILS}.\n{line}"
    assert run("unload").stdout == f"gpt-oss:20b is unloaded.\n{line}"
    ollama.routes["/api/ps"] = lines({"models": [other]})
    assert run("unload").stdout == f"gpt-oss:20b was not loaded.\n{line}"


def test_a_model_that_was_loaded_with_another_name(ollama: WebServer) -> None:
    ollama.routes["/api/ps"] = lines({"models": [{**LOADED, "name": "mine:latest", "digest": "abc"}]})
    ollama.routes["/api/tags"] = lines({"models": [{**INSTALLED, "digest": "abc"}]})
    same = "Ollama calls it mine:latest, which is the same model.\n"
    assert run("warm").stdout == f"gpt-oss:20b is loaded: {DETAILS}. {same}"
    assert run("unload").stdout == f"gpt-oss:20b is unloaded. {same}"
    assert f"Loaded     yes, 14.0 GB 50 % on the GPU, until {UNTIL}\n" in run("status").stdout
    ollama.routes["/api/tags"] = lines({"models": [{**INSTALLED, "digest": "abd"}]})
    assert run("unload").stdout.startswith("gpt-oss:20b was not loaded.\nAlso loaded: mine:latest, ")
    ollama.routes["/api/tags"] = lines({"models": []})
    assert run("unload").stdout.startswith("gpt-oss:20b was not loaded.\n")


def test_aliases_of_llm_are_accepted(ollama: WebServer) -> None:
    llm.set_alias("fast", "gpt-oss:120b")
    assert run("pull", "fast").stdout == "gpt-oss:120b is installed.\n"
    llm.set_alias("gpt-oss", "gpt-4o")
    assert run("pull").stdout == "gpt-oss:20b is installed.\n"


def test_error_for_an_invalid_tag_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "bad tag!")
    assert run("warm").stderr.startswith(
        "Error: LOCAL_LLM_MODEL cannot be used: 'bad tag!' is not a model name."
    )


def test_default_is_the_model_of_gpt_oss(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "tiny")
    assert run("pull").stdout == "tiny is installed.\n"
