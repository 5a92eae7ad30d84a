"llama.cpp on this machine as an engine: the model is loaded when it is first asked."

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ...catalog.binding import BoundModel
from ...completion import Completion, Done, Piece
from ...errors import EngineError, GptOssError
from ..http.endpoint import Endpoint
from ..http.engine import AsyncHttpEngine, HttpEngine
from ..llama_server.server import LlamaServer
from ..local.model_pool import DEFAULT_KEEP_ALIVE, ModelPool, keep_alive_seconds
from .downloads import downloaded
from .gguf import Head, check_loadable, read_head
from .loaded_models import pool
from .process import DEFAULT_CONTEXT, Load, Loaded

INSTALL = "Type `llm install xllamacpp`, or `pip install 'llm-gpt-oss[embedded]'`."


class Weights:
    "The file of a model, and how it is to be loaded. Raises GptOssError where there is none to load."

    def __init__(self, model: BoundModel) -> None:
        self._model = model

    @cached_property
    def path(self) -> Path:
        given = self._model.engine_options.get("gguf")
        if isinstance(given, str):
            return Path(given).expanduser()
        folders = self._model.settings.ollama_models
        if (found := downloaded(self._model.tag, folders)) is not None:
            return found
        raise GptOssError(
            f"There is no file of {self._model.tag} to load: Ollama has not downloaded it to "
            f"{' or '.join(map(str, folders))}.",
            remedy=f"Type `llm gpt-oss models add {self._model.tag} --gguf FILE`, or set OLLAMA_MODELS.",
        )

    @cached_property
    def head(self) -> Head:
        head = read_head(self.path)
        check_loadable(self.path, head)
        return head

    def load(self, wanted: Completion) -> Load:
        """With the context that the prompt asks for, else the model's own setting, else one that most
        machines have."""
        facts, trained = self._model.engine_options, self.head.trained_context
        context = wanted.context_length or facts.get("context") or DEFAULT_CONTEXT
        if find_spec("xllamacpp") is None:
            raise EngineError("The engine embedded needs xllamacpp, which is not here.", remedy=INSTALL)
        context = min(context, trained) if trained else context
        return Load(str(self.path), context, facts.get("threads"), facts.get("gpu_layers"))

    def keep(self, wanted: Completion) -> float:
        asked = wanted.keep_alive
        return keep_alive_seconds(
            self._model.engine_options.get("keep_alive", DEFAULT_KEEP_ALIVE) if asked is None else asked
        )


def _peer(model: BoundModel, loaded: Loaded) -> Endpoint:
    remedy = "Ask again: it is loaded anew."
    return Endpoint("llama.cpp", loaded.server, model.settings.read_timeout, remedy)


class _First:
    "The time that loading took belongs to the completion that waited for it."

    def __init__(self, loaded: Loaded) -> None:
        self._load_ms, loaded.load_ms = loaded.load_ms, None

    def __call__(self, item: Piece | Done) -> Piece | Done:
        return replace(item, load_ms=self._load_ms) if isinstance(item, Done) and self._load_ms else item


class EmbeddedEngine:
    "`completion.Engine`. Models outlive it: they stay in memory for a while, for whoever asks next."

    def __init__(self, model: BoundModel, models: ModelPool[Load, Head, Loaded] | None = None) -> None:
        self._model, self._weights = model, Weights(model)
        self._models = models or pool()

    def complete(self, wanted: Completion) -> Generator[Piece | Done, None, None]:
        load = self._weights.load(wanted)
        with self._models.taken(load, self._weights.head, self._weights.keep(wanted)) as loaded:
            first = _First(loaded)
            with (
                HttpEngine(LlamaServer(_peer(self._model, loaded), is_gpt_oss=True)) as engine,
                closing(engine.complete(wanted)) as items,
            ):
                for item in items:
                    yield first(item)

    def __enter__(self) -> EmbeddedEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class AsyncEmbeddedEngine:
    "`completion.AsyncEngine`, the same. Loading, which blocks, goes on in a thread."

    def __init__(self, model: BoundModel, models: ModelPool[Load, Head, Loaded] | None = None) -> None:
        self._model, self._weights = model, Weights(model)
        self._models = models or pool()

    async def complete(self, wanted: Completion) -> AsyncGenerator[Piece | Done, None]:
        load, keep = await asyncio.to_thread(self._weights.load, wanted), self._weights.keep(wanted)
        async with self._models.ataken(load, self._weights.head, keep) as loaded:
            first = _First(loaded)
            async with (
                AsyncHttpEngine(LlamaServer(_peer(self._model, loaded), is_gpt_oss=True)) as engine,
                aclosing(engine.complete(wanted)) as items,
            ):
                async for item in items:
                    yield first(item)

    async def __aenter__(self) -> AsyncEmbeddedEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
