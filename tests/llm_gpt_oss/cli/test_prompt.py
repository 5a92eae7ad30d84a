"""`llm gpt-oss prompt`: what it refuses, and what it leaves alone. What it prints is in test_cli_recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import llm
import pytest
import sqlite_utils
from commands import run
from llm.logs import LogStore


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "-m", "no-such-model"], "Unknown model: no-such-model"),
        (["x", "-m", "gpt-4o-mini"], "gpt-4o-mini is no gpt-oss"),
        (["x", "-o", "num_ctx", "1"], "num_ctx"),
        (["x", "--cid", "01nothing"], "There is no conversation '01nothing' in the log."),
        (["--turn", "01nothing"], "There is no turn '01nothing' in the log. `llm logs list` shows"),
        (["x", "-o", "tool_choice", "required"], "Give tools with -T or --functions."),
    ],
)
def test_what_it_refuses(arguments: list[str], message: str) -> None:
    result = run("prompt", *arguments)
    assert result.exit_code == 1
    assert message in result.output


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("gpt-oss:my-tune", "no model of llm any more. Type `llm gpt-oss models add gpt-oss:my-tune`"),
        ("gpt-4o-mini", "That turn was gpt-4o-mini's, which reads no harmony."),
    ],
)
def test_a_turn_of_another_model(log: Callable[..., Path], model: str, message: str) -> None:
    response = llm.Response(llm.Prompt("x", llm.get_model("gpt-oss")), llm.get_model("gpt-oss"), stream=False)
    response._done = True
    with sqlite_utils.Database(log()) as database:
        LogStore(database).log(response)
        database["turns"].update(response.id, {"model": model})
    result = run("prompt", "--turn", response.id)
    assert result.exit_code == 1
    assert message in result.output


def test_it_makes_no_log() -> None:
    result = run("prompt", "Why?", "--json")
    assert json.loads(result.stdout)["prompt"].endswith(
        "<|start|>user<|message|>Why?<|end|><|start|>assistant"
    )
    assert not (llm.user_dir() / "logs.db").exists()
