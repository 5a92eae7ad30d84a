from __future__ import annotations

import llm
import pytest
from support.commands import run
from support.webserver import WebServer, lines


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


def test_warm_and_unload(ollama: WebServer) -> None:
    result = run("warm")
    assert result.stdout == "gpt-oss:20b is loaded: 14.0 GB 50 % on the GPU.\n"
    assert result.stderr == "Loading gpt-oss:20b into memory\n"
    ollama.routes["/api/ps"] = lines({"models": []})
    assert run("warm").stdout == "gpt-oss:20b is loaded.\n"
    ollama.bodies.clear()
    ollama.routes["/api/generate"] = lines({"done": True, "done_reason": "unload"})
    assert run("unload", "gpt-oss-120b").stdout == "gpt-oss:120b is unloaded.\n"
    assert ollama.bodies[0]["model"] == "gpt-oss:120b"
    assert ollama.bodies[0]["keep_alive"] == 0


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
