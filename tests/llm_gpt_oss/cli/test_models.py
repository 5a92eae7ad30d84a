from __future__ import annotations

import json
from pathlib import Path

import llm
import pytest
from click.testing import CliRunner
from llm.cli import cli
from support import tiny
from support.commands import run
from support.hugging_face import write_placeholder

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding


def test_list_add_and_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "tiny")
    added = run("models", "add", "gpt-oss-safeguard:20b", "--alias", "guard", "--alias", "g")
    assert added.stderr == "Added gpt-oss-safeguard:20b. Type `llm -m guard` to run it.\n"
    assert run("models", "add", "a/b").stderr == "Added a/b. Type `llm -m a/b` to run it.\n"
    assert run("models", "list").stdout.splitlines() == [
        "tag                      aliases         engine    from",
        "gpt-oss:20b              gpt-oss-20b     ollama    built in",
        "gpt-oss:120b             gpt-oss-120b    ollama    built in",
        "gpt-oss-safeguard:20b    guard, g        ollama    added",
        "a/b                                      ollama    added",
        "tiny                     gpt-oss         ollama    LOCAL_LLM_MODEL",
    ]
    assert run("models", "remove", "gpt-oss-safeguard:20b").stderr == "Removed gpt-oss-safeguard:20b.\n"
    assert json.loads(run("models", "list", "--json").stdout)[2:] == [
        {"tag": "a/b", "aliases": [], "engine": "ollama", "from": "added"},
        {"tag": "tiny", "aliases": ["gpt-oss"], "engine": "ollama", "from": "LOCAL_LLM_MODEL"},
    ]


def test_alias_of_another_plugins_model_is_refused() -> None:
    result = run("models", "add", "tiny", "--alias", "gpt-4o")
    assert result.exit_code == 1
    assert result.stderr == "Error: gpt-4o is another plugin's model, gpt-4o. Type another alias.\n"
    assert models_file.read_aliases() == {}


@pytest.mark.parametrize("tag", ["gpt-4o", "4o"])
def test_tag_of_another_plugins_model_is_refused(tag: str) -> None:
    result = run("models", "add", tag)
    assert (result.exit_code, models_file.read_aliases()) == (1, {})
    assert result.stderr == (
        f"Error: {tag} is another plugin's model, gpt-4o. Rename yours: `ollama cp {tag} NAME`.\n"
    )


def test_list_includes_aliases_of_llm() -> None:
    llm.set_alias("fast", "gpt-oss:20b")
    first, *_ = json.loads(run("models", "list", "--json").stdout)
    assert {*first["aliases"]} == {"gpt-oss", "gpt-oss-20b", "fast"}


def test_own_alias_can_be_moved() -> None:
    assert run("models", "add", "tiny", "--alias", "gpt-oss").exit_code == 0
    assert models_file.read_aliases() == {"tiny": ["gpt-oss"]}


def test_invalid_file_is_an_error() -> None:
    models_file.models_path().write_text("{")
    result = run("models", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(models_file.models_path()) in result.stderr


FILE = str(tiny.FILE)


@pytest.mark.parametrize(
    ("arguments", "binding"),
    [
        pytest.param(["--gguf", FILE], EngineBinding("embedded", {"gguf": FILE}), id="file"),
        pytest.param(
            ["--gguf", FILE, "--threads", "2", "--gpu-layers", "0", "--context", "512"],
            EngineBinding("embedded", {"gguf": FILE, "threads": 2, "gpu_layers": 0, "context": 512}),
            id="file with options",
        ),
        pytest.param(
            ["--transformers", "FOLDER", "--context", "512"],
            EngineBinding("transformers", {"weights": "FOLDER", "context": 512}),
            id="folder",
        ),
        pytest.param(
            ["--llama-server", "http://a:1", "--key", "k", "--header", "X: 1", "--header", "Y: 2"],
            EngineBinding("llama-server", {"url": "http://a:1", "key": "k", "headers": ["X: 1", "Y: 2"]}),
            id="llama-server",
        ),
        pytest.param(
            ["--completions", "http://a:1", "--model", "m", "--dialect", "llama.cpp"],
            EngineBinding("completions", {"url": "http://a:1", "model": "m", "dialect": "llama.cpp"}),
            id="completions",
        ),
        pytest.param(
            ["--proxy", "http://box:8000", "--key", "laptop"],
            EngineBinding("proxy", {"url": "http://box:8000", "key": "laptop"}),
            id="proxy",
        ),
        pytest.param(
            ["--gguf", FILE, "--label", "tiny"],
            EngineBinding("embedded", {"gguf": FILE, "label": "tiny"}),
            id="label",
        ),
        pytest.param(["--engine", "ollama"], EngineBinding("ollama", {}), id="engine only"),
        pytest.param(
            ["--engine", "embedded", "--gguf", FILE],
            EngineBinding("embedded", {"gguf": FILE}),
            id="engine and file",
        ),
    ],
)
def test_add_with_engine_options(
    arguments: list[str], binding: EngineBinding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_placeholder(tmp_path / "FOLDER")
    monkeypatch.chdir(tmp_path)
    if binding.engine == "transformers":  # stored as an absolute path
        binding = EngineBinding(
            binding.engine, {**binding.engine_options, "weights": str(tmp_path / "FOLDER")}
        )
    assert run("models", "add", "mine", *arguments).stderr == "Added mine. Type `llm -m mine` to run it.\n"
    assert models_file.read_bindings() == {"mine": binding}
    assert run("models", "add", "mine", "--alias", "m").exit_code == 0
    assert (models_file.read_bindings(), models_file.read_aliases()) == ({"mine": binding}, {"mine": ["m"]})
    model = llm.get_model("mine")
    assert str(model) == f"GptOss on {binding.engine}: mine"
    assert f"GptOss on {binding.engine}: mine" in CliRunner().invoke(cli, ["models"]).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gguf", FILE, "--llama-server", "a"], "A model runs on one engine"),
        (["--key", "k"], "type --gguf, --llama-server, --completions, --proxy or --transformers."),
        (["--transformers", "a/b", "--gpu-layers", "1", "--key", "k"], "does not take --gpu-layers."),
        (["--transformers", "a/b", "--key", "k"], "The engine transformers does not take --key."),
        (["--transformers", "./nowhere"], "There is no folder ./nowhere"),
        (["--context", "512"], "A model runs on one engine"),
        (["--gguf", FILE, "--key", "k"], "The engine embedded does not take --key."),
        (["--llama-server", "a", "--dialect", "vllm"], "The engine llama-server does not take --dialect."),
        (["--engine", "nowhere"], "There is no engine called 'nowhere'"),
        (["--engine", "embedded"], "There is no file of mine to load"),
        (["--gguf", __file__], "is not a readable GGUF file"),
        (["--llama-server", "ftp://a"], "The address cannot be used"),
        (["--completions", "a", "--header", "X"], "headers cannot be used"),
    ],
)
def test_refused_engine_options(arguments: list[str], message: str) -> None:
    result = run("models", "add", "mine", *arguments)
    assert result.exit_code
    assert message in result.stderr
    assert models_file.read_aliases() == {}


def test_pull_warm_and_unload_refuse_other_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    run("models", "add", "mine", "--gguf", FILE)
    for command in ("pull", "warm", "unload"):
        result = run(command, "mine")
        assert result.exit_code == 1
        assert "mine runs on embedded. This command is only for models that run on Ollama." in result.stderr
