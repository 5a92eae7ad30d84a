"Transformers as an engine: the model is loaded when it is first asked."

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from functools import cached_property

from ...catalog.binding import BoundModel
from ...completion import Completion, Done, Piece
from ...errors import BadRequest
from ..local.model_pool import DEFAULT_KEEP_ALIVE, ModelPool, keep_alive_seconds
from .loaded_models import pool
from .model_folder import ModelFolder, find, named, read_folder
from .model_thread import Loaded

DEFAULT_CONTEXT = 16_384


class Weights:
    "The folder of a model, and how it is to be loaded. Raises GptOssError where there is none to load."

    def __init__(self, model: BoundModel) -> None:
        self._model = model

    @cached_property
    def folder(self) -> ModelFolder:
        return read_folder(find(named(self._model)))

    def context(self, wanted: Completion) -> int:
        "What the prompt asks for, else the model's own setting, else one that most machines have."
        asked = wanted.context_length or self._model.engine_options.get("context") or DEFAULT_CONTEXT
        return min(int(asked), self.folder.trained_context)

    def keep(self, wanted: Completion) -> float:
        asked = wanted.keep_alive
        return keep_alive_seconds(
            self._model.engine_options.get("keep_alive", DEFAULT_KEEP_ALIVE) if asked is None else asked
        )


class _Asked:
    "What both engines do of a completion without waiting."

    def __init__(self, wanted: Completion, loaded: Loaded, context: int) -> None:
        self._loaded = loaded
        # The time that loading took belongs to the completion that waited for it.
        self._load_ms, loaded.load_ms = loaded.load_ms, None
        self.steps = loaded.steps(wanted, context)

    def said(self, item: Piece | Done | None) -> Piece | Done | None:
        return replace(item, load_ms=self._load_ms) if isinstance(item, Done) else item


def _check(wanted: Completion) -> None:
    if wanted.max_tokens is not None and wanted.max_tokens < 1:
        message = f"An answer of {wanted.max_tokens} tokens cannot be asked for."
        raise BadRequest(message, param="max_tokens", remedy="Type `-o max_tokens` with 1 or more.")


class TransformersEngine:
    "`completion.Engine`. Models outlive it: they stay in memory for a while, for whoever asks next."

    def __init__(self, model: BoundModel, models: ModelPool[ModelFolder, int, Loaded] | None = None) -> None:
        self._weights = Weights(model)
        self._models = models or pool()

    def complete(self, wanted: Completion) -> Generator[Piece | Done, None, None]:
        _check(wanted)
        context, keep = self._weights.context(wanted), self._weights.keep(wanted)
        with self._models.taken(self._weights.folder, context, keep) as loaded:
            asked, item = _Asked(wanted, loaded, context), None
            try:
                while not isinstance(item, Done):
                    item = asked.said(loaded.next(asked.steps).result())
                    if item is not None:
                        yield item
            finally:
                loaded.leave(asked.steps)

    def __enter__(self) -> TransformersEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class AsyncTransformersEngine:
    "`completion.AsyncEngine`, the same. Many completions may run at once, token by token in turn."

    def __init__(self, model: BoundModel, models: ModelPool[ModelFolder, int, Loaded] | None = None) -> None:
        self._weights = Weights(model)
        self._models = models or pool()

    async def complete(self, wanted: Completion) -> AsyncGenerator[Piece | Done, None]:
        _check(wanted)
        context, keep = await asyncio.to_thread(self._weights.context, wanted), self._weights.keep(wanted)
        async with self._models.ataken(self._weights.folder, context, keep) as loaded:
            asked, item = _Asked(wanted, loaded, context), None
            try:
                while not isinstance(item, Done):
                    item = asked.said(await asyncio.wrap_future(loaded.next(asked.steps)))
                    if item is not None:
                        yield item
            finally:
                loaded.leave(asked.steps)

    async def __aenter__(self) -> AsyncTransformersEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
