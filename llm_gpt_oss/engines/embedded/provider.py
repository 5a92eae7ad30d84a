"llama.cpp on this machine among the engines. What it needs is imported when it is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from ...catalog.binding import BoundModel
from ...catalog.models_file import BUILT_IN
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import ModelStatus


class EmbeddedProvider:
    name = "embedded"

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

        offered = [f"{model.tag} from {model.engine_options.get('gguf')}" for model in models]
        for tag in BUILT_IN:
            weights = ModelSource(BoundModel(tag, settings))
            try:
                weights.path  # noqa: B018
            except GptOssError:
                continue
            try:
                weights.header  # noqa: B018
                offered.append(f"{tag}, which Ollama has downloaded (LLM_GPT_OSS_ENGINE=embedded runs it)")
            except GptOssError as problem:
                offered.append(f"not {tag}: {problem}")
        return f"{_version() or 'xllamacpp is not installed'}; {'; '.join(offered) or 'no model for it'}"

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from .engine import INSTALL, ModelSource
        from .loaded_models import pool

        weights = ModelSource(model)
        address = str(model.engine_options.get("gguf", "no file"))
        try:
            address = str(weights.path)
            size = weights.header.size
        except GptOssError as problem:
            return ModelStatus(address, version=_version(), problem=str(problem))
        load = pool().find_loaded(address)
        return ModelStatus(
            address,
            version=_version(),
            installed=True,
            size=size,
            loaded=load is not None,
            context_length=load.context if load else None,
            problem=None if _version() else f"xllamacpp is not installed. {INSTALL}",
        )


def _version() -> str | None:
    "Without importing it, which takes a tenth of a second."
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"xllamacpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return None
