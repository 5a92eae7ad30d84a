"""llama.cpp on this machine as an engine. The model is loaded when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path

from ...catalog.binding import BoundModel
from ...completion import Completion, Done, Piece
from ...errors import EngineError, GptOssError
from ..gguf_header import GgufHeader
from ..http.endpoint import Endpoint
from ..http.engine import AsyncHttpEngine, HttpEngine
from ..llama_server.server import LlamaServer
from ..local.load_options import context_length, keep_alive
from ..local.load_time import LoadTime
from ..local.model_pool import ModelPool
from .downloads import find_download
from .gguf import check_loadable, read_header
from .loaded_models import pool
from .process import LoadOptions, ModelProcess

INSTALL = "Type `llm install xllamacpp`, or `pip install 'llm-gpt-oss[embedded]'`."


class ModelSource:
    "The GGUF file of a model, and how to load it. Raises GptOssError if there is no file that can be loaded."

    def __init__(self, model: BoundModel) -> None:
        self._model = model

    @cached_property
    def path(self) -> Path:
        file = self._model.engine_options.get("gguf")
        if isinstance(file, str):
            return Path(file).expanduser()
        folders = self._model.settings.ollama_models
        if (download := find_download(self._model.tag, folders)) is not None:
            return download
        raise GptOssError(
            f"There is no file of {self._model.tag} to load: Ollama has not downloaded it to "
            f"{' or '.join(map(str, folders))}.",
            remedy=f"Type `llm gpt-oss models add {self._model.tag} --gguf FILE`, or set OLLAMA_MODELS.",
        )

    @cached_property
    def header(self) -> GgufHeader:
        header = read_header(self.path)
        check_loadable(self.path, header)
        return header

    def load_options(self, completion: Completion) -> LoadOptions:
        context = context_length(self._model, completion.context_length, self.header.trained_context)
        if find_spec("xllamacpp") is None:
            raise EngineError("The engine embedded needs xllamacpp, which is not installed.", remedy=INSTALL)
        options = self._model.engine_options
        return LoadOptions(str(self.path), context, options.get("threads"), options.get("gpu_layers"))


# The same object for all completions, because it keeps the ids of the model's markers.
@lru_cache(maxsize=4)
def _server(process: ModelProcess, read_timeout: float) -> LlamaServer:
    "Return the server of a process. The header of the file has shown that the model is a gpt-oss."
    remedy = "Try again: the model will be loaded again."
    endpoint = Endpoint("llama.cpp", process.server, read_timeout, remedy)
    return LlamaServer(endpoint, is_gpt_oss=True)


class _Engine:
    def __init__(
        self, model: BoundModel, models: ModelPool[LoadOptions, GgufHeader, ModelProcess] | None = None
    ) -> None:
        self._model, self._source = model, ModelSource(model)
        self._models = models or pool()


class EmbeddedEngine(_Engine):
    "`completion.Engine`. Models stay in memory for a while, also after the engine is closed."

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        options = self._source.load_options(completion)
        seconds = keep_alive(self._model, completion)
        with self._models.borrow(options, self._source.header, seconds) as process:
            load_time = LoadTime(process)
            with (
                HttpEngine(_server(process, self._model.settings.read_timeout)) as engine,
                closing(engine.complete(completion)) as items,
            ):
                for item in items:
                    yield load_time.add_to(item)

    def __enter__(self) -> EmbeddedEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class AsyncEmbeddedEngine(_Engine):
    "`completion.AsyncEngine`. As `EmbeddedEngine`; the model is loaded in a thread."

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        options = await asyncio.to_thread(self._source.load_options, completion)
        seconds = keep_alive(self._model, completion)
        async with self._models.aborrow(options, self._source.header, seconds) as process:
            load_time = LoadTime(process)
            async with (
                AsyncHttpEngine(_server(process, self._model.settings.read_timeout)) as engine,
                aclosing(engine.complete(completion)) as items,
            ):
                async for item in items:
                    yield load_time.add_to(item)

    async def __aenter__(self) -> AsyncEmbeddedEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
