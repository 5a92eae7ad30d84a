"What a person at the shell sees and finds in the log, through llm's own commands."

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import llm
import pytest
import sqlite_utils
from click.testing import CliRunner, Result
from llm.cli import cli
from llm.logs import LogStore
from llm.parts import ReasoningPart, TextPart
from support.scripted_engine import Part, ScriptedEngine, cut
from support.turn_requests import FINAL, PERSON, START, THOUGHT

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.errors import ContextOverflow, EngineUnreachable, StreamCut
from llm_gpt_oss.log import command
from llm_gpt_oss.models import AsyncGptOss, GptOss
from llm_gpt_oss.settings import Settings

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
YES = f"{THINKS}{FINAL}Yes."
BROKEN: list[Any] = [f"{THINKS}{FINAL}Ye", StreamCut("The stream was cut.")]
CALL = "<|channel|>commentary to=functions.llm_version <|constrain|>json<|message|>{}"
ENDLESS = cut(f"{THINKS}{FINAL}Ye")
Scripted = Callable[..., Any]
Log = Callable[..., Path]


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=input)


def prompt(*arguments: str) -> Result:
    return run("prompt", "-m", "gpt-oss", "Warm?", *arguments)


def turns(path: Path) -> list[dict[str, Any]]:
    "Return the turns of the log: prompt, output and outcome."
    kinds = {ReasoningPart: "reasoning", TextPart: "text"}
    with sqlite_utils.Database(path) as database:
        store = LogStore(database)
        rows = list(database.query("select * from turns order by id"))
        return [
            {
                "asked": store.load_chain(row["tip_message_hash"])[-2].parts[0].text,
                "output": [
                    (kinds[type(p)], p.text) for p in store.load_chain(row["tip_message_hash"])[-1].parts
                ],
                "json": store.turn_response_json(row["id"]),
                "output_tokens": row["output_tokens"],
                "resolved_model": row["resolved_model"],
            }
            for row in rows
        ]


def unfinished(error: str) -> dict[str, Any]:
    return {
        "asked": "Warm?",
        "output": [("reasoning", "Hm."), ("text", "Ye")],
        "json": {
            "outcome": {"finish_reason": None, "notes": []},
            "completions": 0,
            "engine": "ollama",
            "error": error,
        },
        "output_tokens": 11,
        "resolved_model": "gpt-oss:20b",
    }


# Unfinished turns


@pytest.mark.parametrize("way", [(), ("--async",), ("--no-stream",), ("--async", "--no-stream")])
def test_an_interrupted_turn_is_logged(way: tuple[str, ...], scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(BROKEN)
    result = prompt(*way)
    assert (result.exit_code, "Error: The stream was cut." in result.stderr) == (1, True)
    assert turns(path) == [unfinished("The stream was cut.")]


@pytest.mark.parametrize("way", [(), ("--async",)])
def test_a_turn_that_ctrl_c_ends_is_logged(way: tuple[str, ...], scripted: Scripted, log: Log) -> None:
    path = log()
    scripted([f"{THINKS}{FINAL}Ye", lambda: signal.raise_signal(signal.SIGINT), "s and more"])
    result = prompt(*way)
    assert (result.exit_code, result.stdout) == (1, "Ye")
    [turn] = turns(path)
    assert turn == unfinished("interrupted")


def test_a_turn_that_is_not_read_to_its_end_is_logged(
    scripted: Scripted, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    "As in `llm … | head -1`: llm fails to print, and lets go of the answer."
    path = log()
    scripted(YES)

    def broken_pipe(events: Any, **_: Any) -> None:
        for event in events:
            if event.type == "text":
                events.close()
                raise BrokenPipeError

    monkeypatch.setattr("llm.cli.display_stream_events", broken_pipe)
    assert prompt().exit_code == 1
    [turn] = turns(path)
    assert turn["json"]["error"] == "interrupted"


def test_llm_logs_shows_an_interrupted_turn(scripted: Scripted, log: Log) -> None:
    log()
    scripted(BROKEN)
    prompt()
    [turn] = json.loads(run("logs", "--json").stdout)
    assert (turn["response"], turn["prompt"]) == ("Ye", "Warm?")


def test_a_thread_continues_after_an_interrupted_turn(scripted: Scripted, log: Log) -> None:
    path = log()
    server = scripted(BROKEN, YES)
    prompt()
    result = run("prompt", "-m", "gpt-oss", "-c", "Go on")
    assert (result.exit_code, result.stdout) == (0, "Yes.\n")
    assert f"{START}{FINAL}Ye<|end|><|start|>user<|message|>Go on" in server.engine.asked[1].prompt
    assert [turn["asked"] for turn in turns(path)] == ["Warm?", "Go on"]


def test_an_interrupted_chat_is_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(BROKEN)
    result = run("chat", "-m", "gpt-oss", input="Warm?\nquit\n")
    assert result.exit_code == 1
    assert turns(path) == [unfinished("The stream was cut.")]


def test_an_interrupted_chain_is_logged_so_far(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(CALL, BROKEN)
    assert prompt("-T", "llm_version").exit_code == 1
    with sqlite_utils.Database(path) as database:
        first, last = database.query("select tip_message_hash, output_tokens from turns order by id")
        chain = LogStore(database).load_chain(last["tip_message_hash"])
    assert first["output_tokens"] > 0
    assert [message.role for message in chain] == ["user", "assistant", "tool", "assistant"]


def test_a_chain_that_is_interrupted_between_rounds_is_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(CALL, [StreamCut("The stream was cut.")])
    assert prompt("-T", "llm_version").exit_code == 1
    with sqlite_utils.Database(path) as database:
        [turn] = database.query("select response_json from turns")
    assert '"finish_reason": "tool_calls"' in turn["response_json"]


@pytest.mark.parametrize("way", [(), ("--async",)])
def test_no_log_option(way: tuple[str, ...], scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(BROKEN)
    assert prompt("--no-log", *way).exit_code == 1
    assert turns(path) == []


def test_logging_off(scripted: Scripted, log: Log) -> None:
    path = log()
    assert run("logs", "off").exit_code == 0
    scripted(BROKEN)
    assert prompt().exit_code == 1
    assert turns(path) == []
    scripted(BROKEN)
    assert prompt("--log").exit_code == 1
    assert len(turns(path)) == 1


@pytest.mark.parametrize("command", ["prompt", "chat"])
def test_the_database_option(command: str, scripted: Scripted, log: Log) -> None:
    usual, other = log(), log("other.db")
    scripted(BROKEN)
    arguments = ["-m", "gpt-oss", "-d", str(other), *(["Warm?"] if command == "prompt" else [])]
    assert run(command, *arguments, input="Warm?\n" if command == "chat" else None).exit_code == 1
    assert (turns(usual), turns(other)) == ([], [unfinished("The stream was cut.")])


def test_a_turn_without_output_is_not_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(EngineUnreachable("Nobody answers."))
    result = prompt()
    assert (result.exit_code, "Nobody answers." in result.stderr) == (1, True)
    assert turns(path) == []


def test_a_turn_that_a_bug_ends_is_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted([f"{THINKS}{FINAL}Ye", RuntimeError("a bug")])
    result = prompt()
    assert (result.exit_code, "a bug" in result.stderr) == (1, True)
    assert turns(path) == [unfinished("a bug")]


@pytest.mark.parametrize("way", [(), ("--async",)])
def test_a_locked_log_does_not_hide_the_error(
    way: tuple[str, ...], scripted: Scripted, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        scripted([f"{FINAL}Ye", lambda: other.execute("begin exclusive"), StreamCut("The stream was cut.")])
        monkeypatch.setattr(command, "LOG_TIMEOUT", 10)
        result = prompt(*way)
        other.execute("rollback")
    assert "because the log cannot be written: database is locked" in result.stderr
    assert (result.exit_code, result.stderr.endswith("Error: The stream was cut.\n")) == (1, True)
    assert turns(path) == []


def test_complete_turns_are_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(YES)
    assert prompt().exit_code == 0
    [turn] = turns(path)
    assert turn["json"] == {
        "outcome": {"finish_reason": "stop", "notes": []},
        "completions": 1,
        "engine": "ollama",
    }


# A word on how it went

LENGTH = "The answer was cut: the context is full. Raise -o num_ctx, or lower -o reasoning_effort."


@pytest.mark.parametrize(
    ("way", "stdout", "stderr"),
    [
        (("-R",), "Ye\n", f"\n{LENGTH}"),
        (("-R", "--async"), "Ye\n", f"\n{LENGTH}"),
        (("--no-stream",), "Ye\n", f"{LENGTH}\n"),
        (("--no-stream", "--async"), "Ye\n", f"{LENGTH}\n"),
    ],
)
def test_a_cut_answer_is_reported_on_standard_error(
    way: tuple[str, ...], stdout: str, stderr: str, scripted: Scripted, log: Log
) -> None:
    log()
    scripted(ENDLESS)
    result = prompt(*way)
    assert (result.exit_code, result.stdout, click.unstyle(result.stderr)) == (0, stdout, stderr)


@pytest.mark.parametrize("stream", [True, False])
def test_a_note_has_its_own_line(stream: bool, scripted: Scripted, log: Log) -> None:
    log()
    scripted(ENDLESS)
    shown = click.unstyle(prompt("-R", *([] if stream else ["--no-stream"])).output)
    assert shown == (f"Ye\n{LENGTH}\n" if stream else f"{LENGTH}\nYe\n")


@pytest.mark.parametrize(
    ("script", "way", "note_text"),
    [
        pytest.param([ContextOverflow("full"), YES], ("-o", "truncate", "1"), "left out", id="truncated"),
        pytest.param(
            [THINKS, "7"], ("--schema", json.dumps(PERSON)), "The answer does not fit its schema", id="misfit"
        ),
    ],
)
def test_notes_that_are_printed(
    script: list[Part], way: tuple[str, ...], note_text: str, scripted: Scripted, log: Log
) -> None:
    path = log()
    scripted(YES, *script)
    assert prompt().stderr.endswith("Hm.\n")
    result = run("prompt", "-m", "gpt-oss", "-c", "And now?", *way)
    assert (result.exit_code, result.stderr.count(note_text)) == (0, 1)
    assert note_text in turns(path)[1]["json"]["outcome"]["notes"][0]["text"]


def test_other_notes_are_only_logged(scripted: Scripted, log: Log) -> None:
    path = log()
    scripted(THOUGHT, f"{FINAL}Yes.")
    result = prompt("-R")
    assert (result.stdout, result.stderr) == ("Yes.\n", "")
    assert [note["kind"] for note in turns(path)[0]["json"]["outcome"]["notes"]] == ["answer_opened"]


def test_notes_in_a_chat(scripted: Scripted, log: Log) -> None:
    log()
    scripted(ENDLESS)
    assert LENGTH in run("chat", "-m", "gpt-oss", input="Warm?\nquit\n").stderr


# A program


def used(*script: Part) -> llm.Response:
    return GptOss("gpt-oss:20b", Settings(), ScriptedEngine(*script)).prompt("Warm?")


def test_nothing_is_printed_in_a_program(log: Log, capfd: pytest.CaptureFixture[str]) -> None:
    path = log()
    assert used(ENDLESS).text() == "Ye"
    with pytest.raises(StreamCut):
        used(BROKEN).text()
    assert (tuple(capfd.readouterr()), turns(path)) == (("", ""), [])


@pytest.mark.parametrize("name", ["prompt", "chat"])
@pytest.mark.parametrize("script", [ENDLESS, BROKEN])
def test_nothing_is_printed_by_a_command_of_the_same_name(name: str, script: list[Any], log: Log) -> None:
    path = log()

    @click.command(name=name)
    def command() -> None:
        used(script).text()

    result = CliRunner().invoke(command)
    assert result.output == ("Error: The stream was cut.\n" if script is BROKEN else "")
    assert turns(path) == []


async def test_nothing_is_printed_in_an_async_program(log: Log, scripted: Scripted) -> None:
    path = log()
    scripted(BROKEN)
    with pytest.raises(StreamCut):
        await AsyncGptOss("gpt-oss:20b", Settings()).prompt("Warm?").text()
    assert turns(path) == []


def test_the_label_above_each_answer(scripted: Scripted) -> None:
    models_file.add("tiny", [], EngineBinding("ollama", {"label": "[a tiny model]"}))
    scripted(YES, f"{THINKS}{CALL}", YES)
    shown = run("prompt", "-m", "tiny", "Warm?", "-R")
    assert (shown.stdout, shown.stderr) == ("Yes.\n", "[a tiny model]\n")
    shown = run("prompt", "-m", "tiny", "-T", "llm_version", "Which?", "-R")
    assert shown.stderr.count("[a tiny model]") == 1, "once for a chain"
    shown = run("prompt", "-m", "tiny", "--async", "Warm?", "-R")
    assert "[a tiny model]" in shown.stderr
