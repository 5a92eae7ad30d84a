"""The two loops that run a plan on an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from ..completion import AsyncEngine, Engine
from ..errors import GptOssError
from .machine import Plan
from .transcript import Call, Text


def drive(plan: Plan, engine: Engine) -> Generator[Text | Call, None, None]:
    "What the turn says, as it comes. Closing the generator stops the engine."
    while (completion := plan.next()) is not None:
        try:
            with closing(engine.complete(completion)) as items:
                for item in items:
                    yield from plan.feed(item)
        except GptOssError as error:
            time.sleep(plan.fail(error))


async def adrive(plan: Plan, engine: AsyncEngine) -> AsyncGenerator[Text | Call, None]:
    "The same, awaited."
    while (completion := plan.next()) is not None:
        try:
            async with aclosing(engine.complete(completion)) as items:
                async for item in items:
                    for out in plan.feed(item):
                        yield out
        except GptOssError as error:
            await asyncio.sleep(plan.fail(error))
