"`llm prompt` and `llm chat` lose no turn: signals, a log that cannot be opened or written, many at once."

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import click
import llm
import pytest
import sqlite_utils
from click.testing import CliRunner, Result
from llm.cli import cli
from llm.logs import LogStore
from support.fork_server import SHELL
from support.scripted_engine import stopped
from support.scripted_server import HOLD, Scripted, stream
from support.turn_requests import FINAL, START, THOUGHT

from llm_gpt_oss.log import command
from llm_gpt_oss.log.database import unlogged_folder
from llm_gpt_oss.log.owned_files import OwnedFiles
from llm_gpt_oss.log.secret_patterns import patterns_file
from llm_gpt_oss.log.utf8_input import CONVERT
from llm_gpt_oss.log.waiting_turns import waiting_turns

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
YES = f"{THINKS}{FINAL}Yes."
CALL = "<|channel|>commentary to=functions.{} <|constrain|>json<|message|>{{}}"
WAITS = "The turn waits in {}, because the log cannot be written: database is locked."
UNREADABLE = (
    "Error: The conversation cannot be loaded, because the log {} cannot be opened: database is locked. "
)
LATIN_1 = "caf\udce9"

Scripts = Callable[..., Any]
Log = Callable[..., Path]

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OPEN_TIMEOUT", 10)
    monkeypatch.setattr(command, "LOG_TIMEOUT", 10)


def run(*arguments: str, typed: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=typed)


def prompt(*arguments: str) -> Result:
    return run("prompt", "-m", "gpt-oss", "Warm?", *arguments)


def turns(path: Path) -> list[tuple[str, str]]:
    "Prompt and answer of each turn in the log."
    with sqlite_utils.Database(path) as database:
        chains = [
            LogStore(database).load_chain(row["tip_message_hash"])
            for row in database.query("select tip_message_hash from turns order by id")
        ]
    return [(chain[-2].parts[0].text, chain[-1].parts[-1].text) for chain in chains]


def outcome(path: Path) -> dict[str, Any]:
    "What the log says of its only turn."
    with sqlite_utils.Database(path) as database:
        [row] = database.query("select response_json from turns")
        return dict(json.loads(row["response_json"]))


@contextmanager
def locked(path: Path, kind: str = "exclusive") -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"begin {kind}")
        yield
        other.execute("rollback")


# Redaction


def test_what_the_patterns_match_is_not_in_the_log(scripted: Scripts, log: Log) -> None:
    path = log()
    patterns_file().write_text("sesame[0-9]*\n", encoding="utf-8")
    server = scripted(f"{THOUGHT}Of sesame1.<|end|>{START}{FINAL}Say sesame2.")
    result = run("prompt", "-m", "gpt-oss", "Is it sesame3?", "-s", "Keep sesame4")
    assert result.stdout == "Say sesame2.\n"
    assert "sesame3" in server.engine.asked[0].prompt
    assert turns(path) == [("Is it [redacted]?", "Say [redacted].")]
    with closing(sqlite3.connect(path)) as database:
        assert "sesame" not in "".join(database.iterdump())
        assert LogStore(sqlite_utils.Database(database)).verify() == []


def test_a_redacted_conversation_continues(scripted: Scripts, log: Log) -> None:
    path = log()
    patterns_file().write_text("sesame\n", encoding="utf-8")
    server = scripted(YES, YES)
    run("prompt", "-m", "gpt-oss", "Open sesame")
    run("prompt", "-m", "gpt-oss", "-c", "Again, sesame")
    assert "Open [redacted]" in server.engine.asked[1].prompt
    assert "Again, sesame" in server.engine.asked[1].prompt
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select count(*), count(distinct thread_id) from turns").fetchone() == (2, 1)
        assert database.execute("select count(*) from messages").fetchone() == (4,)


def test_turns_that_wait_are_redacted_when_they_are_logged(scripted: Scripts, log: Log) -> None:
    path = log()
    patterns_file().write_text("Warm\n", encoding="utf-8")
    scripted(YES, YES)
    with locked(path):
        prompt()
    assert prompt().exit_code == 0
    assert turns(path) == [("[redacted]?", "Yes.")] * 2


@pytest.mark.usefixtures("echo")
def test_turns_of_other_plugins_are_redacted(log: Log) -> None:
    path = log()
    patterns_file().write_text("sesame|Echo\n", encoding="utf-8")
    assert run("prompt", "-m", "echo", "Open sesame").stdout == "Echo.\n"
    assert turns(path) == [("Open [redacted]", "[redacted].")]


def test_a_mistake_in_the_patterns_ends_the_command_before_the_prompt(scripted: Scripts, log: Log) -> None:
    log()
    patterns_file().write_text("(a\n", encoding="utf-8")
    server = scripted(YES)
    result = prompt()
    assert result.exit_code == 1
    assert f"{patterns_file()}, line 1: the pattern (a cannot be used" in result.output
    assert server.engine.asked == []


# Signals


@needs_signals
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("way", [(), ("--async",)], ids=["sync", "async"])
def test_a_turn_that_a_signal_ends_is_logged(
    name: str, way: tuple[str, ...], scripted: Scripts, log: Log
) -> None:
    path, number = log(), signal.Signals[name]
    scripted([f"{THINKS}{FINAL}Ye", lambda: signal.raise_signal(number), "s and more"])
    result = prompt(*way)
    assert (result.exit_code, result.stdout) == (128 + number, "Ye")
    assert turns(path) == [("Warm?", "Ye")]
    assert outcome(path)["error"] == f"interrupted by {name}"
    assert signal.getsignal(number) is signal.SIG_DFL


@needs_signals
def test_a_signal_while_a_tool_runs_ends_no_round_of_the_chain(scripted: Scripts, log: Log) -> None:
    path = log()
    scripted(CALL.format("stop"))
    functions = "import signal\ndef stop(): signal.raise_signal(signal.SIGTERM)"
    assert prompt("--functions", functions).exit_code == 143
    with sqlite_utils.Database(path) as database:
        [turn] = database.query("select response_json from turns")
    assert '"finish_reason": "tool_calls"' in turn["response_json"]
    assert "error" not in json.loads(turn["response_json"])


@needs_signals
def test_a_signal_while_the_answer_is_printed(
    scripted: Scripts, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log()
    scripted([f"{THINKS}{FINAL}Ye", "s."])

    def interrupted(events: Any, **_: Any) -> None:
        while next(events).type != "text":
            pass
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("llm.cli.display_stream_events", interrupted)
    assert prompt().exit_code == 143
    assert turns(path) == [("Warm?", "Ye")]
    assert outcome(path)["error"] == "interrupted by SIGTERM"


@needs_signals
def test_a_real_process_that_is_terminated(log: Log) -> None:
    path = log()
    line = {"model": "gpt-oss:20b", "response": "", "done": False}
    pieces = [{**line, "response": piece} for piece in ("<|channel|>", "final", "<|message|>", "Ye", "s")]
    with Scripted(stream(*pieces, HOLD)) as ollama:
        environ = {**os.environ, "OLLAMA_HOST": ollama.host, "LLM_USER_PATH": str(path.parent)}
        arguments = [sys.executable, "-m", "llm", "-m", "gpt-oss", "Warm?"]
        with Popen(arguments, env=environ, stdin=DEVNULL, stdout=PIPE) as process:
            assert process.stdout
            assert process.stdout.read(3) == b"Yes"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 143
        assert ollama.gone.wait(timeout=60)
    assert turns(path) == [("Warm?", "Yes")]


@needs_signals
@pytest.mark.parametrize("way", [(), ("--async",)], ids=["sync", "async"])
def test_a_reader_of_the_output_that_leaves(way: tuple[str, ...], log: Log) -> None:
    "As `head` does. The turn is logged as after Ctrl-C, and nothing is printed about it."
    path = log()
    line = {"model": "gpt-oss:20b", "response": "", "done": False}
    first = [{**line, "response": piece} for piece in ("<|channel|>", "final", "<|message|>", "Ye")]
    more = [{**line, "response": "s"} for _ in range(100)]
    left = threading.Event()
    script = stream(*first, left, *more, HOLD)
    with Scripted(script) as ollama:
        environ = {**os.environ, "OLLAMA_HOST": ollama.host, "LLM_USER_PATH": str(path.parent)}
        arguments = ("-m", "llm", "-m", "gpt-oss", "Warm?", *way)
        with SHELL.start(*arguments, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE) as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.read(2) == b"Ye"
            process.stdout.close()
            left.set()
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == 141
        assert ollama.gone.wait(timeout=60)
    [(_, answer)] = turns(path)
    assert answer.startswith("Yes")
    assert outcome(path)["error"].startswith("interrupted")


# A log that cannot be opened or written


@pytest.mark.parametrize("kind", ["exclusive", "immediate"])
@pytest.mark.parametrize("way", [(), ("--no-stream",), ("--async",)], ids=["stream", "whole", "async"])
def test_a_locked_log_costs_neither_the_answer_nor_the_row(
    kind: str, way: tuple[str, ...], scripted: Scripts, log: Log
) -> None:
    path = log()
    scripted(YES, YES)
    with locked(path, kind):
        result = prompt(*way)
        assert (result.exit_code, result.stdout) == (0, "Yes.\n")
        assert WAITS.format(f"{path}-unlogged") in result.stderr
        [waiting] = waiting_turns(path)
        assert (waiting.stat().st_mode & 0o777, waiting.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert turns(path) == []
    result = run("prompt", "-m", "gpt-oss", "-c", "And now?")
    assert (result.exit_code, result.stderr.count("waits")) == (0, 0)
    assert turns(path) == [("Warm?", "Yes."), ("And now?", "Yes.")]
    assert waiting_turns(path) == []
    with sqlite_utils.Database(path) as database:
        assert [row["name"] for row in database.query("select name from threads")] == ["Warm?"]


def test_a_log_that_is_locked_during_the_answer(scripted: Scripts, log: Log) -> None:
    path = log()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        scripted([f"{THINKS}{FINAL}Ye", lambda: other.execute("begin exclusive"), *stopped("s.")])
        result = prompt("--json")
        other.execute("rollback")
    assert result.exit_code == 0
    [shown] = json.loads(result.stdout)
    assert (shown["prompt"], shown["response"]) == ("Warm?", "Yes.")
    assert len(waiting_turns(path)) == 1


def test_a_log_that_is_locked_before_prints_json_too(scripted: Scripts, log: Log) -> None:
    path = log()
    scripted(YES)
    with locked(path):
        result = prompt("--json")
    assert [shown["response"] for shown in json.loads(result.stdout)] == ["Yes."]
    assert len(waiting_turns(path)) == 1


def test_a_locked_log_does_not_end_a_chat(scripted: Scripts, log: Log) -> None:
    path = log()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        script = [
            [f"{THINKS}{FINAL}Ye", lambda: other.execute("begin exclusive"), *stopped("s.")],
            [f"{THINKS}{FINAL}Ye", lambda: other.execute("rollback"), *stopped("s.")],
        ]
        scripted(*script)
        result = run("chat", "-m", "gpt-oss", typed="Warm?\nAnd now?\nquit\n")
    assert (result.exit_code, result.stderr.count("\nThe turn waits in ")) == (0, 1)
    assert turns(path) == [("Warm?", "Yes."), ("And now?", "Yes.")]


def test_what_a_killed_command_left_is_deleted(scripted: Scripts, log: Log) -> None:
    "It was killed while it wrote a turn to the folder."
    path = log()
    folder = unlogged_folder(path)
    with closing(OwnedFiles(folder)) as running:
        running.check()
        kept = folder / f"1.{running.owner}.draft"
        for left in (kept, folder / "1.gone.draft", folder / "gone.lock"):
            left.touch()
        scripted(YES)
        assert prompt().exit_code == 0
        assert {each.name for each in folder.iterdir()} == {kept.name, f"{running.owner}.lock"}


def test_a_turn_that_the_database_rejects(scripted: Scripts, log: Log) -> None:
    path = log()
    with closing(sqlite3.connect(path)) as database:
        database.execute("create trigger no before insert on turns begin select raise(abort, 'Never!'); end")
    scripted(YES)
    result = prompt()
    assert (result.exit_code, result.stdout) == (0, "Yes.\n")
    assert "cannot be written: Never!. `llm gpt-oss logs waiting --retry` tries it again.\n" in result.stderr


def test_an_interrupted_turn_of_a_locked_log_waits(scripted: Scripts, log: Log) -> None:
    path = log()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        lock = lambda: other.execute("begin exclusive")  # noqa: E731
        scripted([f"{THINKS}{FINAL}Ye", lock, lambda: signal.raise_signal(signal.SIGINT)], YES)
        assert prompt().exit_code == 1
        other.execute("rollback")
    prompt()
    assert turns(path) == [("Warm?", "Ye"), ("Warm?", "Yes.")]


@pytest.mark.parametrize("option", [("-c",), ("--cid", "some")], ids=["latest", "by id"])
def test_a_conversation_in_a_locked_log_is_one_line_of_error(
    option: tuple[str, ...], scripted: Scripts, log: Log
) -> None:
    path = log()
    server = scripted(YES)
    with locked(path):
        result = prompt(*option)
    assert (result.exit_code, server.opened) == (1, 0)
    assert result.stderr.startswith(UNREADABLE.format(path))
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_no_database(scripted: Scripts) -> None:
    path = llm.user_dir() / "logs.db"
    path.write_text("This is not a database." * 100)
    scripted(YES)
    result = prompt()
    assert (result.exit_code, result.stdout) == (0, "Yes.\n")
    assert "the log cannot be written: file is not a database" in result.stderr
    assert len(waiting_turns(path)) == 1


def test_a_turn_that_can_be_kept_nowhere_is_reported(scripted: Scripts, log: Log) -> None:
    path = log()
    path.with_name("logs.db-unlogged").write_text("a file where the folder should be")
    scripted(YES)
    with locked(path):
        result = prompt()
    assert (result.exit_code, result.stdout) == (1, "Yes.\n")
    lost = (
        f"The turn is lost: the log {path} cannot be written (database is locked), nor can {path}-unlogged ("
    )
    assert lost in result.stderr


def test_no_log_needs_no_log(scripted: Scripts, log: Log) -> None:
    path = log()
    scripted(YES)
    with locked(path):
        result = prompt("--no-log")
    assert (result.exit_code, result.stdout, result.stderr.count("waits")) == (0, "Yes.\n", 0)
    assert waiting_turns(path) == []


def test_all_rounds_of_a_chain_wait(scripted: Scripts, log: Log) -> None:
    path = log()
    functions = f"""
import sqlite3
others = [sqlite3.connect({str(path)!r}, isolation_level=None)]
def lock(): others[0].execute("begin exclusive")
"""
    scripted(CALL.format("lock"), YES, YES)
    assert prompt("--functions", functions).exit_code == 0
    assert len(waiting_turns(path)) == 2
    gc.collect()  # closes the connection
    prompt("--no-log")
    assert waiting_turns(path) == []
    with sqlite_utils.Database(path) as database:
        [(tip, _), _] = database.execute("select tip_message_hash, id from turns order by id desc").fetchall()
        chain = LogStore(database).load_chain(tip)
        assert database["turn_tools"].count == 2
    assert [message.role for message in chain] == ["user", "assistant", "tool", "assistant"]


class Echo(llm.Model):
    model_id = "echo"

    def execute(self, prompt, stream, response, conversation):  # type: ignore[no-untyped-def]
        yield "Echo."


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.cli.get_model", lambda name=None: Echo())


@pytest.mark.usefixtures("echo")
def test_the_log_of_other_plugins_models_is_llms_own(log: Log) -> None:
    path = log()
    assert run("prompt", "-m", "echo", "Hello?").stdout == "Echo.\n"
    assert turns(path) == [("Hello?", "Echo.")]
    with locked(path, "immediate"):
        result = run("prompt", "-m", "echo", "Hello?")
    assert isinstance(result.exception, sqlite3.OperationalError)
    assert waiting_turns(path) == []


@pytest.mark.usefixtures("echo")
def test_other_plugins_models_answer_while_the_log_is_locked(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        monkeypatch.setattr(Echo, "execute", lambda *_, **__: [other.execute("rollback") and "Echo."])
        result = run("prompt", "-m", "echo", "Hello?")
    assert (result.exit_code, result.stdout) == (0, "Echo.\n")
    assert turns(path) == [("Hello?", "Echo.")]


# Many at once


def test_many_first_prompts_at_once(tmp_path: Path) -> None:
    user_path = tmp_path / "new"
    line = {"model": "gpt-oss:20b", "response": "", "done": False}
    pieces = [{**line, "response": piece} for piece in ("<|channel|>", "final", "<|message|>", "Yes")]
    with Scripted(stream(*pieces, {**line, "done": True, "done_reason": "stop"})) as ollama:
        environ = {**os.environ, "OLLAMA_HOST": ollama.host, "LLM_USER_PATH": str(user_path)}
        arguments = ("-m", "llm", "-m", "gpt-oss", "Warm?")
        processes = [
            SHELL.start(*arguments, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True)
            for _ in range(5)
        ]
        assert [process.communicate(timeout=120) for process in processes] == [("Yes\n", "")] * 5
    assert turns(user_path / "logs.db") == [("Warm?", "Yes")] * 5
    assert (user_path / "logs.db").stat().st_mode & 0o077 == 0


# Text that is not UTF-8


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        pytest.param((LATIN_1,), "argument PROMPT", id="prompt"),
        pytest.param(("-s", LATIN_1), "option --system", id="system prompt"),
        pytest.param(("-f", LATIN_1), "option --fragment", id="fragment"),
        pytest.param(("--cid", LATIN_1), "option --conversation", id="conversation"),
        pytest.param(("-m", LATIN_1), "option --model", id="model"),
        pytest.param(("-o", "stop", LATIN_1), "option --option", id="option"),
        pytest.param(("-p", "name", LATIN_1), "option --param", id="template parameter"),
        pytest.param(("-T", LATIN_1), "option --tool", id="tool"),
    ],
)
def test_invalid_arguments_are_one_line_of_error(
    arguments: tuple[str, ...], name: str, scripted: Scripts
) -> None:
    server = scripted(YES)
    result = run("prompt", "-m", "gpt-oss", *arguments)
    assert (result.exit_code, server.opened) == (1, 0)
    assert result.stderr == f"Error: The {name} is not valid UTF-8. {CONVERT}\n"


def test_invalid_arguments_of_a_chat(scripted: Scripts) -> None:
    scripted(YES)
    assert "The option --system is not valid UTF-8" in run("chat", "-m", "gpt-oss", "-s", LATIN_1).stderr


def test_a_file_name_may_have_any_bytes(scripted: Scripts, log: Log) -> None:
    scripted(YES)
    path = log(f"{LATIN_1}.db")
    assert prompt("-d", str(path)).exit_code == 0
    assert len(turns(path)) == 1


def test_invalid_input_is_one_line_of_error(scripted: Scripts, log: Log) -> None:
    log()
    scripted(YES)
    result = run("prompt", "-m", "gpt-oss", typed=b"caf\xe9")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: The input is not valid UTF-8: 'utf-8' codec can't decode byte 0xe9"
    )
    assert result.stderr.endswith(f". {CONVERT}\n")
    assert result.stderr.count("\n") == 1


def test_invalid_input_where_python_would_let_it_pass(
    log: Log, scripted: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    "In the locale C, standard input turns invalid bytes into half surrogates."
    log()
    scripted(YES)
    strict = click.testing._NamedTextIOWrapper

    def lenient(*arguments: Any, **options: Any) -> Any:
        return (
            strict(*arguments, **options, errors="surrogateescape")
            if options["mode"] == "r"
            else strict(*arguments, **options)
        )

    monkeypatch.setattr("click.testing._NamedTextIOWrapper", lenient)
    assert "The input is not valid UTF-8" in run("prompt", "-m", "gpt-oss", typed=b"caf\xe9").stderr
