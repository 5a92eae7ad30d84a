"""A model in memory, and the only thread that uses it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from time import perf_counter

from ...completion import Completion, Done, Piece
from ...errors import EngineError, GptOssError, OutOfMemory
from ..local import memory
from .generation import Model, PrefixCache, generate
from .model_folder import INSTALL, ModelFolder
from .tokens import Vocabulary

REQUIRED_PACKAGES = ("torch", "transformers", "accelerate", "llguidance")
Steps = Generator[Piece | Done | None, None, None]


class ModelThread:
    """Runs completions in one thread, step by step.

    Completions take turns, so none waits until another has finished. A caller that is interrupted returns
    immediately, while the current step ends in the thread.
    """

    alive = True

    def __init__(self, folder: ModelFolder, context: int) -> None:
        "Load the model. Raises GptOssError if it cannot be loaded, or would not fit into memory."
        began = perf_counter()
        self._model, self._vocabulary = _load(folder, context)
        self._cache = PrefixCache(self._model)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        self.load_ms: float | None = (perf_counter() - began) * 1000

    def start(self, completion: Completion, context: int) -> Steps:
        "Return the steps of a completion. Nothing runs before the first `step`."
        return generate(self._model, self._cache, self._vocabulary, completion, context)

    def step(self, steps: Steps) -> Future[Piece | Done | None]:
        "Run the next step. The result is None if it produced no piece. Raises GptOssError."
        return self._executor.submit(_next_item, steps)

    def stop(self, steps: Steps) -> None:
        "End a completion, after its current step. Returns immediately."
        with suppress(RuntimeError):  # the program is ending, and the executor with it
            self._executor.submit(steps.close)

    def close(self) -> None:
        "Free the memory."
        self._executor.shutdown()
        del self._model, self._cache
        if torch := sys.modules.get("torch"):
            torch.cuda.empty_cache()


def _load(folder: ModelFolder, context: int) -> tuple[Model, Vocabulary]:
    if missing := [name for name in REQUIRED_PACKAGES if find_spec(name) is None]:
        raise EngineError(
            f"The engine transformers needs {missing[0]}, which is not installed.", remedy=INSTALL
        )
    try:
        from .torch_model import TorchModel, free_gpu_memory, supports_mxfp4

        required, available = folder.required_memory(context, supports_mxfp4()), memory.available_memory()
        if available is not None and required > available + (gpu := free_gpu_memory()):
            raise _insufficient_memory(folder, context, required, available, gpu)
        model = TorchModel(folder)
    except GptOssError:
        raise
    except Exception as problem:
        raise EngineError(
            f"Transformers cannot load {folder.path}: {_first_line(problem)}.",
            remedy="Use another folder, or update Transformers: `llm install -U transformers`.",
        ) from problem
    return model, model.vocabulary


def _next_item(steps: Steps) -> Piece | Done | None:
    try:
        return next(steps)
    except GptOssError:
        raise
    except Exception as problem:
        message = f"Transformers failed: {_first_line(problem)}."
        if type(problem).__name__ == "OutOfMemoryError":
            remedy = "Type a smaller `-o num_ctx`, or close other programs."
            raise OutOfMemory(message, remedy=remedy) from problem
        raise EngineError(message) from problem


def _insufficient_memory(
    folder: ModelFolder, context: int, required: int, available: int, gpu: int
) -> GptOssError:
    is_unpacked = required > folder.required_memory(context, packed=True)
    return memory.insufficient_memory(
        folder.path,
        context,
        required,
        available,
        gpu,
        reason=", because MXFP4 has to be unpacked" if is_unpacked else "",
        advice=" A GGUF file of the same model stays packed everywhere (--gguf).",
    )


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")[:300]
