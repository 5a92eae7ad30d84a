"""The two loops that run a turn on an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing

from ..completion import AsyncEngine, Completion, Engine
from ..errors import GptOssError
from ..streaming import BusyTime
from .machine import TurnMachine
from .transcript import Text, ToolCall

Call = Callable[[Callable[[], Completion | None]], Awaitable[Completion | None]]


def run_turn(machine: TurnMachine, engine: Engine) -> Generator[Text | ToolCall, None, None]:
    "Yield the text and calls of the turn as they come. Closing the generator stops the engine."
    while (completion := machine.next_completion()) is not None:
        try:
            with closing(engine.complete(completion)) as items:
                for item in items:
                    yield from machine.feed(item)
                    if machine.completion_is_over:
                        break
        except GptOssError as error:
            time.sleep(machine.on_error(error))


async def arun_turn(
    machine: TurnMachine, engine: AsyncEngine, call: Call
) -> AsyncGenerator[Text | ToolCall, None]:
    """Like `run_turn`, for an async engine. `call` calls what reads the whole conversation.

    It pauses now and then, because one line of an engine may hold a hundred thousand pieces.
    """
    busy = BusyTime()
    while (completion := await call(machine.next_completion)) is not None:
        try:
            async with aclosing(engine.complete(completion)) as items:
                async for item in items:
                    for out in machine.feed(item):
                        yield out
                    if machine.completion_is_over:
                        break
                    await busy.pause()
        except GptOssError as error:
            await asyncio.sleep(machine.on_error(error))
