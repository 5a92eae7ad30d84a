"`python -m proxy.client`: one answer in a pipe, and a conversation."

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from support.scripted_engine import AsyncScriptedEngine
from support.scripted_server import HOLD, Refusing, Scripted, sse

from llm_gpt_oss.errors import StreamCut
from proxy.client import Client
from proxy.client.__main__ import command
from proxy.client.conversation import HELP, Conversation, hold

Serve = Callable[..., str]
KEY_WARNING = (
    "Warning: other users of this machine can see --key in its list of processes. Set OPENAI_API_KEY "
    "instead.\n"
)
HELLO = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello you"


def run(*arguments: str, input: str = "") -> Any:
    return CliRunner().invoke(command, list(arguments), input=input)


@pytest.mark.parametrize(
    ("arguments", "input", "prompt"),
    [
        pytest.param(["Say", "hello"], "", "Say hello", id="arguments"),
        pytest.param([], "Say hello\n", "Say hello", id="standard input"),
        pytest.param(["Say this"], "hello\n", "Say this\nhello", id="both"),
    ],
)
def test_one_answer(serve: Serve, arguments: list[str], input: str, prompt: str) -> None:
    engine = AsyncScriptedEngine(HELLO)
    result = run("--url", serve(engine=engine), *arguments, input=input)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello you\n", "")
    assert f"<|start|>user<|message|>{prompt}<|end|>" in engine.asked[0].prompt


def test_options(serve: Serve) -> None:
    engine = AsyncScriptedEngine(HELLO)
    options = ["-m", "gpt-oss:120b", "-s", "Be brief.", "--effort", "low", "-r"]
    result = run("--url", serve(engine=engine), "--key", "any", *options, "Hi")
    assert (result.stdout, result.stderr) == ("Hello you\n", f"{KEY_WARNING}Hm.\n")
    [completion] = engine.asked
    assert completion.model == "gpt-oss:120b"
    assert "Reasoning: low" in completion.prompt
    assert "# Instructions\n\nBe brief." in completion.prompt


def test_a_key_of_the_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    result = run("--url", serve(HELLO), "Hi")
    assert (result.stdout, result.stderr) == ("Hello you\n", "")


def test_json(serve: Serve) -> None:
    result = run("--url", serve(HELLO), "--json", "Hi")
    found = json.loads(result.stdout)
    assert (found["text"], found["reasoning"], found["finish_reason"]) == ("Hello you", "Hm.", "stop")
    assert found["usage"]["prompt_tokens"] == 100


def test_a_reader_that_ends(serve: Serve) -> None:
    "As in `python -m proxy.client … | true`."
    arguments = [sys.executable, "-m", "proxy.client", "--url", serve(HELLO), "Hi"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_no_prompt() -> None:
    result = run(input="\n")
    assert result.exit_code == 2
    assert "There is no prompt" in result.stderr


def test_an_error_says_what_to_type() -> None:
    with Refusing() as host:
        result = run("--url", host, "Hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "llm gpt-oss serve" in result.stderr


def lines(*texts: str | BaseException) -> Callable[[], str]:
    "What a person types. At the end, the input ends."
    remaining: Iterator[str | BaseException] = iter((*texts, EOFError()))

    def read_line() -> str:
        text = next(remaining)
        if isinstance(text, BaseException):
            raise text
        return text

    return read_line


def test_a_conversation(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    engine = AsyncScriptedEngine(HELLO, HELLO)
    with Client(serve(engine=engine)) as client:
        hold(Conversation(client, "Be brief."), lines("Hi", "", "  More ", "/exit", "Not read"))
    assert capsys.readouterr() == ("Hello you\nHello you\n", f"{HELP}\n")
    assert len(engine.asked) == 2
    assert "<|start|>assistant<|channel|>final<|message|>Hello you<|end|>" in engine.asked[1].prompt
    assert "# Instructions\n\nBe brief." in engine.asked[1].prompt


def test_an_error_does_not_end_the_conversation(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    engine = AsyncScriptedEngine(StreamCut("It broke."), HELLO)
    with Client(serve(engine=engine)) as client:
        hold(Conversation(client), lines("First", "Second"))
    out, err = capsys.readouterr()
    assert out == "Hello you\n"
    assert "It broke." in err
    assert "First" not in engine.asked[1].prompt


def test_ctrl_c_at_the_prompt(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    with Client(serve(HELLO)) as client:
        hold(Conversation(client), lines(KeyboardInterrupt(), "Hi", "/quit"))
    assert capsys.readouterr() == ("Hello you\n", f"{HELP}\n\n{HELP}\n")


def test_ctrl_c_ends_the_answer_and_not_the_conversation(
    play: Callable[..., Scripted], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
    end = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    server = play(sse(chunk, HOLD), sse(end))
    with Client(server.url) as client:
        deltas = client.stream

        def interrupted(*arguments: Any, **fields: Any) -> Iterator[Any]:
            stream = deltas(*arguments, **fields)
            try:
                yield next(stream)
                raise KeyboardInterrupt
            finally:
                stream.close()

        monkeypatch.setattr(client, "stream", interrupted)
        conversation = Conversation(client)
        with pytest.raises(KeyboardInterrupt):
            conversation.send("First")
        assert server.gone.wait(5)
        monkeypatch.setattr(client, "stream", deltas)
        conversation.send("Second")
    assert capsys.readouterr().out == "HelHi\n"
    assert server.requests[1].body["messages"] == [
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Hel"},
        {"role": "user", "content": "Second"},
    ]


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proxy.client", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: python -m proxy.client [OPTIONS] [PROMPT]...")
