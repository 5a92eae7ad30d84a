"""The engines that the models run on. Each is opened once and stays open until the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import UNBOUND, ModelEntry
from llm_gpt_oss.completion import AsyncEngine, Completion, Done, Piece
from llm_gpt_oss.engines.providers import get_provider
from llm_gpt_oss.settings import Settings


class Engines:
    "The engines of `models`, by the plugin's `settings`. An engine is opened when it is first used."

    def __init__(self, settings: Settings, models: Iterable[ModelEntry]) -> None:
        self._settings = settings
        self._bindings = {entry.tag: entry.binding for entry in models}
        self._engines: dict[str, LazyEngine] = {}

    def engine_for(self, tag: str) -> AsyncEngine:
        """Return the engine of the model with this tag.

        Raises GptOssError if the model's binding cannot be used; the next call tries again.
        """
        if tag not in self._engines:
            model = self.bound_model(tag)
            self._engines[tag] = LazyEngine(get_provider(model.engine).aopen(model, model.api_key()))
        return self._engines[tag]

    def bound_model(self, tag: str) -> BoundModel:
        return BoundModel(tag, self._settings, self._bindings.get(tag, UNBOUND))

    async def aclose(self) -> None:
        for engine in self._engines.values():
            await engine.aclose()


class LazyEngine:
    "An `AsyncEngine` that opens another one with its first completion."

    def __init__(self, opening: AbstractAsyncContextManager[AsyncEngine]) -> None:
        self._opening = opening
        self._engine: AsyncEngine | None = None
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        return self._engine.complete(completion) if self._engine else self._open_and_complete(completion)

    async def _open_and_complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        async with self._lock:
            if self._engine is None:
                self._engine = await self._stack.enter_async_context(self._opening)
        async with aclosing(self._engine.complete(completion)) as items:
            async for item in items:
                yield item

    async def aclose(self) -> None:
        await self._stack.aclose()
