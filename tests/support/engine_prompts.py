"""Run completions on an engine, sync or async.

items = complete(provider, model, Completion("tag", "prompt"), awaited=True)
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.hookspecs import EngineProvider
from llm_gpt_oss.settings import Settings

Items = list[Piece | Done]


def model(engine: str, tag: str = "tiny", /, read_timeout: float = 5, **options: Any) -> BoundModel:
    "A model with this engine and these engine options. `read_timeout` is in seconds."
    settings = Settings.from_env({"LLM_GPT_OSS_TIMEOUT": str(read_timeout)})
    return BoundModel(tag, settings, EngineBinding(engine, options))


def complete(
    provider: EngineProvider,
    model: BoundModel,
    *completions: Completion,
    key: str | None = None,
    awaited: bool,
) -> Items:
    "The items of all completions, which one engine runs one after the other."
    if not awaited:
        with provider.open(model, key) as engine:
            return [item for completion in completions for item in engine.complete(completion)]

    async def acomplete() -> Items:
        async with provider.aopen(model, key) as engine:
            return [item for completion in completions async for item in engine.complete(completion)]

    return asyncio.run(acomplete())


def first_item(
    provider: EngineProvider, model: BoundModel, completion: Completion, *, awaited: bool
) -> Piece | Done:
    "The first item. The completion is closed after it."
    if not awaited:
        with provider.open(model, None) as engine:
            items = engine.complete(completion)
            first = next(items)
            items.close()
            return first

    async def afirst_item() -> Piece | Done:
        async with provider.aopen(model, None) as engine, aclosing(engine.complete(completion)) as items:
            return await anext(items)

    return asyncio.run(afirst_item())


def text(items: Items) -> str:
    return "".join(item.text for item in items if isinstance(item, Piece))


def done(items: Items) -> Done:
    last = items[-1]
    assert isinstance(last, Done)
    assert not any(isinstance(item, Done) for item in items[:-1])
    return last
