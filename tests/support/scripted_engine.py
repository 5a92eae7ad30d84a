"""An engine that plays a script: its nth part answers the nth completion.

engine = ScriptedEngine("<|channel|>final<|message|>Hello", cut("<|channel|>final"), StreamCut("…"))
...
assert engine.asked[0].prompt.endswith("<|start|>assistant")
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any, Literal

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.harmony.markers import MARKER

# A text with a normal end, an error, or items: texts, pieces, Done, errors, functions to call.
Part = str | BaseException | list[Any]

WORD = re.compile(rf"{MARKER.pattern}|\s?(?:(?!<\|)\S)+|\s|<")


def pieces(text: str) -> list[Piece]:
    "Return a piece for each marker and each word."
    return [Piece(match[0]) for match in WORD.finditer(text)]


def spoken(*texts: str) -> list[Piece]:
    "Return a piece for each text, with log probabilities as if each character were a token."
    return [Piece(text, tuple(Logprob(char, -0.5) for char in text)) for text in texts]


def cut(text: str, **counts: Any) -> list[Any]:
    "Return the items of a text that a length limit cut."
    items = pieces(text)
    return [*items, Done("length", **{"prompt_tokens": 100, "completion_tokens": len(items), **counts})]


def stopped(text: str, **counts: Any) -> list[Any]:
    "Return the items of a text with a normal end."
    items = pieces(text)
    return [*items, Done("stop", **{"prompt_tokens": 100, "completion_tokens": len(items) + 1, **counts})]


class Script:
    "`asked` has the completions so far. `closed` is how many of them ended in any way."

    def __init__(self, *parts: Part) -> None:
        self.asked: list[Completion] = []
        self.closed = 0
        self._parts = parts

    def play(self, completion: Completion) -> Iterator[Piece | Done]:
        self.asked.append(completion)
        assert len(self.asked) <= len(self._parts), f"one completion too many: {completion.prompt[-200:]}"
        part = self._parts[len(self.asked) - 1]
        for item in stopped(part) if isinstance(part, str) else part if isinstance(part, list) else [part]:
            match item:
                case BaseException():
                    raise item
                case str():
                    yield from pieces(item)
                case Piece() | Done():
                    yield item
                case _:
                    item()


class ScriptedEngine(Script):
    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        try:
            yield from self.play(completion)
        finally:
            self.closed += 1


class AsyncScriptedEngine(Script):
    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        try:
            for item in self.play(completion):
                await asyncio.sleep(0)
                yield item
        finally:
            self.closed += 1


class SoonEvent(asyncio.Event):
    "An event for which nobody waits for ever: a request that fails never sets it."

    async def wait(self, seconds: float = 60) -> Literal[True]:
        try:
            return await asyncio.wait_for(super().wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"this did not happen within {seconds:g} seconds") from None


class HeldEngine:
    "Sends `text`, sets `silent`, and waits until `go` is set."

    def __init__(self, *text: str) -> None:
        self._text = text
        self.go = asyncio.Event()
        self.silent = SoonEvent()
        self.open = 0
        self.asked = 0

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        self.asked += 1
        self.open += 1
        try:
            for text in self._text:
                yield Piece(text)
            self.silent.set()
            await self.go.wait()
            yield Done("stop", prompt_tokens=1, completion_tokens=1)
        finally:
            self.open -= 1
