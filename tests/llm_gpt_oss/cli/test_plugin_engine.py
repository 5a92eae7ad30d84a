"""An engine of another package: its options, its models, its answers.

The package is installed as pip would install it: a module, and a folder of metadata with an entry point.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import llm
import pytest
from click.testing import CliRunner
from llm.cli import cli
from support.commands import run

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.engines.providers import installed_providers

MODULE = """
import json
from contextlib import asynccontextmanager, contextmanager

import click

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.engines.hookspecs import EngineOption, ModelStatus, hookimpl
from llm_gpt_oss.engines.shared_options import SERVER_KEY


class Engine:
    def __init__(self, text):
        self.text = text

    def complete(self, completion):
        for text in ("<|channel|>", "final", "<|message|>", self.text):
            yield Piece(text)
        yield Done("stop")


class EchoProvider:
    name = "echo"
    options = (
        EngineOption("--echo", "room", "the room to shout into", "ROOM", selects_engine=True),
        EngineOption("--volume", "loudness", "how loud", type=click.IntRange(1, 11)),
        EngineOption("--word", "words", "a word to add", multiple=True),
        SERVER_KEY,
    )

    @contextmanager
    def open(self, model, key):
        yield Engine(f"{key} {json.dumps(dict(model.engine_options), sort_keys=True)}")

    @asynccontextmanager
    async def aopen(self, model, key):
        raise NotImplementedError

    def check(self, model):
        pass

    def summary(self, settings, models):
        return f"{len(models)} models"

    def model_status(self, model, key):
        return ModelStatus("this process", version="1.0", installed=True, loaded=True)


@hookimpl
def register_engines(register):
    register(EchoProvider())
"""


@pytest.fixture(autouse=True)
def echo_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "llm_gpt_oss_echo.py").write_text(MODULE)
    metadata = tmp_path / "llm_gpt_oss_echo-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-gpt-oss-echo\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[llm_gpt_oss]\necho = llm_gpt_oss_echo\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed_providers.cache_clear()
    yield
    installed_providers.cache_clear()
    sys.modules.pop("llm_gpt_oss_echo", None)


def read_models_file() -> object:
    return json.loads(models_file.models_path().read_text())


@pytest.mark.usefixtures("no_ollama")
def test_a_model_on_the_engine_is_added_listed_and_answers() -> None:
    (llm.user_dir() / "keys.json").write_text('{"mine": "s3cret"}')  # type: ignore[no-untyped-call]
    arguments = ["--engine", "echo", "--key", "mine", "--volume", "3", "--word", "a", "--word", "b"]
    added = run("models", "add", "shout", *arguments, "--label", "Shouted:")
    assert added.stderr == "Added shout. Type `llm -m shout` to run it.\n"
    options = {"loudness": 3, "words": ["a", "b"], "key": "mine", "label": "Shouted:"}
    assert read_models_file() == {"shout": {"engine": "echo", **options, "aliases": []}}
    assert json.loads(run("models", "list", "--json").stdout)[-1] == {
        "tag": "shout",
        "aliases": [],
        "engine": "echo",
        "from": "added",
    }
    assert "Engine     echo: 1.0 at this process\n" in run("status", "shout").stdout
    answer = CliRunner().invoke(cli, ["-m", "shout", "Hello", "--no-log"])
    assert answer.output == f"Shouted:\ns3cret {json.dumps(options, sort_keys=True)}\n"


@pytest.mark.usefixtures("no_ollama")
def test_status_shows_the_engine_beside_the_others() -> None:
    run("models", "add", "shout", "--echo", "cave")
    assert "echo: 1 models" in run("status").stdout


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        pytest.param(["--echo", "cave"], {"room": "cave"}, id="its option that selects an engine"),
        pytest.param(["--volume", "11"], {"loudness": 11}, id="an option that only it takes"),
    ],
)
def test_its_options_select_the_engine(arguments: list[str], options: dict[str, object]) -> None:
    assert run("models", "add", "shout", *arguments).exit_code == 0
    assert read_models_file() == {"shout": {"engine": "echo", **options, "aliases": []}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--engine", "echo", "--threads", "1"],
            "The engine echo does not take --threads.",
            id="an option of another engine",
        ),
        pytest.param(
            ["--engine", "embedded", "--volume", "1"],
            "The engine embedded does not take --volume.",
            id="its option for another engine",
        ),
        pytest.param(
            ["--engine", "ollama", "--key", "k"], "The engine ollama does not take --key.", id="Ollama"
        ),
        pytest.param(["--volume", "12"], "Invalid value for '--volume'", id="a value out of range"),
        pytest.param(["--key", "k"], "--transformers or --echo.", id="an option that selects no engine"),
        pytest.param(["--echo", "a", "--llama-server", "b"], "A model runs on one engine", id="two engines"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], message: str) -> None:
    result = run("models", "add", "shout", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not models_file.models_path().exists()


def test_the_help_names_the_engines_of_each_option() -> None:
    text = " ".join(run("models", "add", "--help").stdout.split())
    assert "--volume INTEGER RANGE echo: how loud [1<=x<=11]" in text
    assert "--key NAME llama-server, completions, proxy, echo: " in text


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["gpt-oss", "--help"], id="the help of the group"),
        pytest.param(["gpt-oss", "models", "list"], id="our models"),
        pytest.param(["models"], id="all models"),
    ],
)
def test_other_commands_do_not_search_for_engines(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert installed_providers.cache_info().currsize == 0
