"""Transformers as an engine. The model is loaded when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from functools import cached_property

from ...catalog.binding import BoundModel
from ...completion import Completion, Done, Piece
from ...errors import BadRequest
from ..local.load_options import context_length, keep_alive
from ..local.load_time import LoadTime
from ..local.model_pool import ModelPool
from .loaded_models import pool
from .model_folder import ModelFolder, find_folder, read_folder, weights_location
from .model_thread import ModelThread


class ModelSource:
    "The folder of a model, and how to load it. Raises GptOssError if there is no folder that can be loaded."

    def __init__(self, model: BoundModel) -> None:
        self._model = model

    @cached_property
    def folder(self) -> ModelFolder:
        return read_folder(find_folder(weights_location(self._model)))

    def context_length(self, num_ctx: int | None) -> int:
        return context_length(self._model, num_ctx, self.folder.trained_context)


def _check(completion: Completion) -> None:
    if completion.max_tokens is not None and completion.max_tokens < 1:
        message = f"An answer cannot have a limit of {completion.max_tokens} tokens."
        raise BadRequest(message, param="max_tokens", remedy="Set `-o max_tokens` to 1 or more.")


class _Engine:
    def __init__(
        self, model: BoundModel, models: ModelPool[ModelFolder, int, ModelThread] | None = None
    ) -> None:
        self._model, self._source = model, ModelSource(model)
        self._models = models or pool()


class TransformersEngine(_Engine):
    "`completion.Engine`. Models stay in memory for a while, also after the engine is closed."

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        _check(completion)
        context = self._source.context_length(completion.context_length)
        seconds = keep_alive(self._model, completion)
        with self._models.borrow(self._source.folder, context, seconds) as thread:
            load_time = LoadTime(thread)
            steps, item = thread.start(completion, context), None
            try:
                while not isinstance(item, Done):
                    item = load_time.add_to(thread.step(steps).result())
                    if item is not None:
                        yield item
            finally:
                thread.stop(steps)

    def __enter__(self) -> TransformersEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class AsyncTransformersEngine(_Engine):
    "`completion.AsyncEngine`. Several completions can run at once: they take turns, token by token."

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        _check(completion)
        context = await asyncio.to_thread(self._source.context_length, completion.context_length)
        seconds = keep_alive(self._model, completion)
        async with self._models.aborrow(self._source.folder, context, seconds) as thread:
            load_time = LoadTime(thread)
            steps, item = thread.start(completion, context), None
            try:
                while not isinstance(item, Done):
                    item = load_time.add_to(await asyncio.wrap_future(thread.step(steps)))
                    if item is not None:
                        yield item
            finally:
                thread.stop(steps)

    async def __aenter__(self) -> AsyncTransformersEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
