"""An engine that says what another thread dictates while the model runs.

engine = DictatedEngine()
call = engine.call(0)  # waits for the first completion
call.say("<|channel|>final<|message|>Hello")
call.end()
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from llm_gpt_oss.completion import Completion, Done, Piece
from support.scripted_engine import pieces

PATIENCE = 20
# Seconds between two looks at what was dictated.
TICK = 0.005


class Call:
    "One completion. `is_open` is whether its model still runs."

    def __init__(self, completion: Completion) -> None:
        self.completion = completion
        self.is_open = True
        self._items: list[Piece | Done] = []

    def say(self, text: str) -> None:
        "Send a piece for each marker and each word."
        self._items += pieces(text)

    def end(self, *, prompt_tokens: int = 120) -> None:
        count = len(self._items) + 1
        self._items.append(Done("stop", prompt_tokens=prompt_tokens, completion_tokens=count))

    async def play(self) -> AsyncGenerator[Piece | Done, None]:
        sent = 0
        while True:
            while sent < len(self._items):
                item = self._items[sent]
                sent += 1
                yield item
                if isinstance(item, Done):
                    return
            await asyncio.sleep(TICK)


class DictatedEngine:
    def __init__(self) -> None:
        self.calls: Sequence[Call] = []

    def call(self, number: int) -> Call:
        "Return the completion with this number, once it has begun."
        deadline = time.monotonic() + PATIENCE
        while len(self.calls) <= number:
            assert time.monotonic() < deadline, "no such completion has begun"
            time.sleep(TICK)
        return self.calls[number]

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        call = Call(completion)
        self.calls = [*self.calls, call]
        try:
            async for item in call.play():
                yield item
        finally:
            call.is_open = False
