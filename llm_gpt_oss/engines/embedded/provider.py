"The provider of the engine `embedded`, llama.cpp in a process that the plugin starts."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

import click

from ...catalog.binding import BoundModel
from ...catalog.models_file import BUILT_IN
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus
from ..shared_options import CONTEXT


class EmbeddedProvider:
    name = "embedded"
    options: Sequence[EngineOption] = (
        EngineOption(
            "--gguf", "gguf", "the file", "FILE", type=click.Path(resolve_path=True), selects_engine=True
        ),
        EngineOption("--threads", "threads", "processor cores to use", type=click.IntRange(1)),
        EngineOption(
            "--gpu-layers", "gpu_layers", "layers to put on the GPU, 0 for none", type=click.IntRange(0)
        ),
        CONTEXT,
    )

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from .engine import EmbeddedEngine

        return EmbeddedEngine(model)

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from .engine import AsyncEmbeddedEngine

        return AsyncEmbeddedEngine(model)

    def check(self, model: BoundModel) -> None:
        from .engine import ModelSource

        ModelSource(model).header  # noqa: B018 (reads the file)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        from .engine import ModelSource

        parts = [f"{model.tag} from {model.engine_options.get('gguf')}" for model in models]
        for tag in BUILT_IN:
            weights = ModelSource(BoundModel(tag, settings))
            try:
                weights.path  # noqa: B018 (searches Ollama's models)
            except GptOssError:
                continue
            try:
                weights.header  # noqa: B018 (reads the file)
                parts.append(f"{tag}, which Ollama has downloaded (LLM_GPT_OSS_ENGINE=embedded runs it)")
            except GptOssError as problem:
                parts.append(f"not {tag}: {problem}")
        return f"{_version() or 'xllamacpp is not installed'}; {'; '.join(parts) or 'no model for it'}"

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..local.load_options import context_length
        from .engine import INSTALL, ModelSource
        from .loaded_models import pool

        weights = ModelSource(model)
        address = str(model.engine_options.get("gguf", "no file"))
        try:
            address = str(weights.path)
            header = weights.header
        except GptOssError as problem:
            return ModelStatus(address, version=_version(), problem=str(problem))
        return ModelStatus(
            address,
            version=_version(),
            installed=True,
            size=header.size,
            loaded=pool().find_loaded(address) is not None,
            context_length=context_length(model, None, header.trained_context),
            trained_context=header.trained_context or None,
            parameters=header.parameters or None,
            embedding_length=header.embedding_length or None,
            problem=None if _version() else f"xllamacpp is not installed. {INSTALL}",
        )


def _version() -> str | None:
    "The installed version, read from the package's metadata: importing xllamacpp takes a tenth of a second."
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"xllamacpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return None
