"llm's own commands, and turns of apps in the same log."

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner
from llm.cli import cli, load_conversation
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine, ScriptedEngine

from llm_gpt_oss.engines.ollama.provider import OllamaProvider

THINKING = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"


THREADS = """
select thread_id, forked_from from turns join threads on threads.id = thread_id order by turns.id
"""


class OpenedEngine(ScriptedEngine):
    "Takes the place of the engine that `OllamaProvider` opens."

    def __call__(self, *_: object) -> OpenedEngine:
        return self

    def __enter__(self) -> OpenedEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def shell(monkeypatch: pytest.MonkeyPatch, answer: str, *arguments: str) -> ScriptedEngine:
    "Run `llm ARGUMENTS` with a model that writes `answer`."
    engine = OpenedEngine(THINKING + answer)
    monkeypatch.setattr(OllamaProvider, "open", engine)
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (0, f"{answer}\n")
    return engine


def app(*turns: Sequence[str]) -> list[tuple[Any, ...]]:
    "Send a chat request for each turn: the texts of its history, then the answer that the model writes."

    async def run() -> list[tuple[Any, ...]]:
        engine = AsyncScriptedEngine(*(THINKING + answer for *_, answer in turns))
        async with proxied(engine) as proxy:
            for *history, _ in turns:
                roles = ("user", "assistant") * len(history)
                messages = [
                    {"role": role, "content": text} for role, text in zip(roles, history, strict=False)
                ]
                assert (await proxy.chat(*messages)).status_code == 200
            return proxy.rows(THREADS)

    return asyncio.run(run())


def test_llm_continue_does_not_continue_turns_of_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    shell(monkeypatch, "Yes", "-m", "gpt-oss:20b", "Mine")
    mine = load_conversation(None)
    assert mine
    app(["Hi", "Hello"], ["Else", "Hello"])
    repeated = load_conversation(None)
    assert repeated
    assert repeated.id == mine.id
    asked = shell(monkeypatch, "Sure", "-c", "More")
    assert "Mine" in asked.asked[0].prompt


def test_the_shell_and_an_app_continue_the_same_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    ((thread_id, _),) = app(["Hi", "Hello"])
    asked = shell(monkeypatch, "Sure", "--cid", thread_id, "More")
    assert asked.asked[0].prompt.endswith(
        "<|start|>user<|message|>Hi<|end|><|start|>assistant<|channel|>final<|message|>Hello<|end|>"
        "<|start|>user<|message|>More<|end|><|start|>assistant"
    )
    *_, knowing = app(["Hi", "Hello", "More", "Sure", "And?", "So"])
    assert knowing == (thread_id, None)
    *_, ignorant = app(["Hi", "Hello", "Other", "So"])
    assert ignorant[1] == thread_id


def test_llm_logs_shows_turns_of_apps() -> None:
    ((thread_id, _),) = app(["Hi there", "Hello"])
    shown = CliRunner().invoke(cli, ["logs", "--cid", thread_id]).output
    assert "Hi there" in shown
    assert "Hello" in shown
    assert "Hi there" in CliRunner().invoke(cli, ["logs", "-q", "Hello"]).output
    assert '"name": "Hi there"' in CliRunner().invoke(cli, ["logs", "--json"]).output.replace(
        "conversation_", ""
    )
