"The provider of the engine `transformers`, Hugging Face Transformers in this process."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from ...catalog.binding import BoundModel
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus
from ..shared_options import CONTEXT

PACKAGES = ("torch", "transformers")


def resolve_folder(name: str) -> str:
    "Make the path of a folder absolute, so that it works from every directory. Leave an id as it is."
    folder = Path(name).expanduser()
    return str(folder.resolve()) if name and folder.is_dir() else name


class TransformersProvider:
    name = "transformers"
    options: Sequence[EngineOption] = (
        EngineOption(
            "--transformers",
            "weights",
            "folder of the model, or its id on Hugging Face",
            "FOLDER",
            type=resolve_folder,
            selects_engine=True,
        ),
        CONTEXT,
    )

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from .engine import TransformersEngine

        return TransformersEngine(model)

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from .engine import AsyncTransformersEngine

        return AsyncTransformersEngine(model)

    def check(self, model: BoundModel) -> None:
        from .engine import ModelSource

        ModelSource(model).folder  # noqa: B018 (reads the config)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        parts = [f"{model.tag} from {model.engine_options.get('weights')}" for model in models]
        version = _version() or "torch or transformers is not installed"
        return f"{version}; {'; '.join(parts) or 'no model for it'}"

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from .engine import ModelSource
        from .loaded_models import pool
        from .model_folder import INSTALL, weights_location

        version, address = _version(), "no folder"
        try:
            address = weights_location(model)
            source = ModelSource(model)
            folder = source.folder
        except GptOssError as problem:
            return ModelStatus(address, version=version, problem=str(problem))
        return ModelStatus(
            address,
            version=version and version + _unpacked(folder.packed_weights),
            installed=True,
            size=folder.size,
            loaded=pool().find_loaded(folder.path) is not None,
            context_length=source.context_length(None),
            trained_context=folder.trained_context,
            vocabulary=folder.vocabulary,
            embedding_length=folder.embedding_length,
            problem=None if version else f"torch or transformers is not installed. {INSTALL}",
        )


def _unpacked(experts: int) -> str:
    "Why MXFP4 weights will be unpacked, or an empty text. It does not import torch, which takes seconds."
    if not experts:
        return ""
    missing = [name for name in ("triton", "kernels") if find_spec(name) is None]
    return f", MXFP4 unpacked to 16 bits: {missing[0]} is not installed" if missing else ""


def _version() -> str | None:
    "The installed versions, read from the packages' metadata: importing them takes seconds."
    from importlib.metadata import PackageNotFoundError, version

    try:
        return ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    except PackageNotFoundError:
        return None
