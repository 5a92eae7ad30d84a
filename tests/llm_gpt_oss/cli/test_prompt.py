"`llm gpt-oss prompt` prints the prompts of `llm prompt`. test_cli_recorded.py does so with a real Ollama."

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from click.testing import CliRunner
from llm.cli import cli
from llm.logs import LogStore
from support.commands import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "-m", "no-such-model"], "Unknown model: no-such-model"),
        (["x", "-m", "gpt-4o-mini"], "gpt-4o-mini is not a gpt-oss model"),
        (["x", "-o", "num_ctx", "1"], "num_ctx"),
        (["x", "--cid", "01nothing"], "No conversation found with id=01nothing"),
        (["x", "-t", "no-such-template"], "no-such-template"),
        (["x", "-f", "no-such-fragment"], "Fragment 'no-such-fragment' not found"),
        (["--turn", "01nothing"], "There is no turn '01nothing' in the log. `llm logs list` shows"),
        (["x", "-o", "tool_choice", "required"], "Add tools with -T or --functions."),
    ],
)
def test_errors(arguments: list[str], message: str) -> None:
    result = run("prompt", *arguments)
    assert result.exit_code == 1
    assert message in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "There is no prompt: type one, pipe one in, or name a fragment with -f."),
        (["-s", "Be brief."], "There is no prompt"),
        (["--turn", "x", "Why?", "-o", "seed", "1"], "leave out PROMPT, --option."),
        (["--turn", "x", "-c"], "leave out --continue."),
    ],
)
def test_usage_errors(arguments: list[str], message: str) -> None:
    result = run("prompt", *arguments)
    assert result.exit_code == 2
    assert message in result.output


TEMPLATE = """
system: You are $who.
prompt: 'Say it in French: $input'
options: {reasoning_effort: low}
fragments: [file.txt]
tools: [llm_version]
defaults: {who: Ada}
"""


@pytest.mark.parametrize(
    ("arguments", "piped"),
    [
        pytest.param(["Why?"], None, id="plain"),
        pytest.param(["Why?"], "From a pipe.", id="pipe and prompt"),
        pytest.param([], "From a pipe.", id="pipe"),
        pytest.param(["Why?", "-f", "file.txt", "--sf", "file.txt"], None, id="fragments"),
        pytest.param(["-f", "file.txt"], None, id="fragment without a prompt"),
        pytest.param(["Why?", "-o", "reasoning_effort", "high"], None, id="option and default option"),
        pytest.param(["Why?", "-t", "french"], None, id="template"),
        pytest.param(
            ["-t", "french", "-p", "who", "Bob"], "Piped", id="template with a parameter and a pipe"
        ),
        pytest.param(["Why?", "-t", "french", "-t", "schema"], None, id="two templates"),
        pytest.param(["--schema", "name, age int"], None, id="a schema without a prompt"),
        pytest.param(["And then?", "-c"], None, id="continued conversation"),
        pytest.param(
            ["And then?", "-c", "-T", "llm_time"], None, id="continued conversation with another tool"
        ),
    ],
)
def test_prints_the_prompt_that_llm_sends(
    arguments: list[str],
    piped: str | None,
    scripted: Any,
    log: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log()
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("What a file holds.")
    templates = llm.user_dir() / "templates"
    templates.mkdir()
    (templates / "french.yaml").write_text(TEMPLATE)
    (templates / "schema.yaml").write_text("schema_object: {type: object, properties: {a: {type: string}}}")
    (llm.user_dir() / "model_options.json").write_text('{"gpt-oss:20b": {"reasoning_effort": "low"}}')
    server = scripted(*["<|channel|>final<|message|>Yes."] * 9)
    runner = CliRunner()
    first = runner.invoke(cli, ["-m", "gpt-oss", "Begin.", "-T", "llm_version"])
    assert first.exit_code == 0, first.output
    printed = runner.invoke(cli, ["gpt-oss", "prompt", *arguments], input=piped)
    assert printed.exit_code == 0, printed.output
    before = len(server.engine.asked)
    runner.invoke(cli, ["-m", "gpt-oss", *arguments], input=piped)
    assert printed.stdout == server.engine.asked[before].prompt + "\n"
    if not {"-t", "--schema"} & {*arguments}:
        assert runner.invoke(cli, ["gpt-oss", "prompt", "--turn", "last"]).stdout == printed.stdout


def test_continue_without_a_log_starts_a_conversation() -> None:
    assert run("prompt", "Why?", "-c").stdout == run("prompt", "Why?").stdout
    assert not (llm.user_dir() / "logs.db").exists()
    assert "There is no turn 'last' in the log." in run("prompt", "--turn", "last").stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "gpt-oss:my-tune",
            "which llm no longer has. Type `llm gpt-oss models add gpt-oss:my-tune`",
        ),
        ("gpt-4o-mini", "That turn used the model gpt-4o-mini, which is not a gpt-oss model."),
    ],
)
def test_turn_of_another_model(log: Callable[..., Path], model: str, message: str) -> None:
    response = llm.Response(llm.Prompt("x", llm.get_model("gpt-oss")), llm.get_model("gpt-oss"), stream=False)
    response._done = True
    with sqlite_utils.Database(log()) as database:
        LogStore(database).log(response)
        database["turns"].update(response.id, {"model": model})
    result = run("prompt", "--turn", response.id)
    assert result.exit_code == 1
    assert message in result.output


def test_creates_no_log() -> None:
    result = run("prompt", "Why?", "--json")
    assert json.loads(result.stdout)["prompt"].endswith(
        "<|start|>user<|message|>Why?<|end|><|start|>assistant"
    )
    assert not (llm.user_dir() / "logs.db").exists()
