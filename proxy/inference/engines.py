"The engines that the models run on, each opened once and kept open."

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import UNBOUND, ModelEntry
from llm_gpt_oss.completion import AsyncEngine, Completion, Done, Piece
from llm_gpt_oss.engines.registered import get_provider
from llm_gpt_oss.settings import Settings


class Engines:
    "`settings` are the plugin's. Nothing is opened before a model is asked."

    def __init__(self, settings: Settings, models: Iterable[ModelEntry]) -> None:
        self._settings = settings
        self._places = {entry.tag: entry.binding for entry in models}
        self._kept: dict[str, LazyEngine] = {}

    def engine_for(self, tag: str) -> AsyncEngine:
        """The engine of this model. Raises GptOssError where what names it cannot be used, and tries again
        later."""
        if tag not in self._kept:
            model = self.bound_model(tag)
            self._kept[tag] = LazyEngine(get_provider(model.engine).aopen(model, model.api_key()))
        return self._kept[tag]

    def bound_model(self, tag: str) -> BoundModel:
        return BoundModel(tag, self._settings, self._places.get(tag, UNBOUND))

    async def aclose(self) -> None:
        for kept in self._kept.values():
            await kept.aclose()


class LazyEngine:
    "`completion.AsyncEngine`, opened with the first completion."

    def __init__(self, opening: AbstractAsyncContextManager[AsyncEngine]) -> None:
        self._opening = opening
        self._engine: AsyncEngine | None = None
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        return self._engine.complete(completion) if self._engine else self._first(completion)

    async def _first(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        async with self._lock:
            if self._engine is None:
                self._engine = await self._stack.enter_async_context(self._opening)
        async with aclosing(self._engine.complete(completion)) as items:
            async for item in items:
                yield item

    async def aclose(self) -> None:
        await self._stack.aclose()
