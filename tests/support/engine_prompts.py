"""One completion, by an engine waited for or awaited.

items = said(kind, model, Completion("tag", "prompt"), awaited=True)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.hookspecs import EngineProvider
from llm_gpt_oss.settings import Settings

Items = list[Piece | Done]
Asks = Callable[..., Items]


def model(engine: str, tag: str = "tiny", /, silence: float = 5, **facts: Any) -> BoundModel:
    settings = Settings.from_env({"LLM_GPT_OSS_TIMEOUT": str(silence)})
    return BoundModel(tag, settings, EngineBinding(engine, facts))


def said(
    kind: EngineProvider, wanted: BoundModel, *completions: Completion, key: str | None = None, awaited: bool
) -> Items:
    "What comes of all of them, asked one after the other of one engine."
    if not awaited:
        with kind.open(wanted, key) as engine:
            return [item for completion in completions for item in engine.complete(completion)]

    async def asked() -> Items:
        async with kind.aopen(wanted, key) as engine:
            return [item for completion in completions async for item in engine.complete(completion)]

    return asyncio.run(asked())


def left(kind: EngineProvider, wanted: BoundModel, completion: Completion, *, awaited: bool) -> Piece | Done:
    "The first item, after which nobody listens any more."
    if not awaited:
        with kind.open(wanted, None) as engine:
            items = engine.complete(completion)
            first = next(items)
            items.close()
            return first

    async def asked() -> Piece | Done:
        async with kind.aopen(wanted, None) as engine, aclosing(engine.complete(completion)) as items:
            return await anext(items)

    return asyncio.run(asked())


def text(items: Items) -> str:
    return "".join(item.text for item in items if isinstance(item, Piece))


def done(items: Items) -> Done:
    last = items[-1]
    assert isinstance(last, Done)
    assert not any(isinstance(item, Done) for item in items[:-1])
    return last
