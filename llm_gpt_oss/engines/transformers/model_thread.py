"A model in memory, and the one thread that works with it."

from __future__ import annotations

import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from time import perf_counter

from ...completion import Completion, Done, Piece
from ...errors import EngineError, GptOssError
from ..local import memory
from .generation import Model, PrefixCache, generation
from .model_folder import INSTALL, ModelFolder
from .tokens import Tokens

NEEDED = ("torch", "transformers", "accelerate", "llguidance")
Steps = Generator[Piece | Done | None, None, None]


class Loaded:
    """Completions take turns in its thread, a step each: none waits for the end of another, and none begins
    where another one is in the middle of something. Who is interrupted leaves at once, and the step under way
    ends by itself."""

    alive = True

    def __init__(self, folder: ModelFolder, context: int) -> None:
        "Returns when the model is loaded. GptOssError if it cannot be, or would not fit with this context."
        began = perf_counter()
        self._network, self._tokens = _loaded(folder, context)
        self._memories = PrefixCache(self._network)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        self.load_ms: float | None = (perf_counter() - began) * 1000

    def steps(self, wanted: Completion, context: int) -> Steps:
        return generation(self._network, self._memories, self._tokens, wanted, context)

    def next(self, steps: Steps) -> Future[Piece | Done | None]:
        return self._thread.submit(_step, steps)

    def leave(self, steps: Steps) -> None:
        "Once the step under way is done. Nobody has to wait for that."
        with suppress(RuntimeError):  # the program ends
            self._thread.submit(steps.close)

    def end(self) -> None:
        self._thread.shutdown()
        del self._network, self._memories
        if torch := sys.modules.get("torch"):
            torch.cuda.empty_cache()


def _loaded(folder: ModelFolder, context: int) -> tuple[Model, Tokens]:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise EngineError(f"The engine transformers needs {missing[0]}, which is not here.", remedy=INSTALL)
    try:
        from .torch_model import TorchModel, free_on_gpu, stays_packed

        needed, here = folder.memory(context, stays_packed()), memory.available_memory()
        if here is not None and needed > here + (graphics := free_on_gpu()):
            raise _short(folder, context, needed, here, graphics)
        network = TorchModel(folder)
    except GptOssError:
        raise
    except Exception as problem:
        raise EngineError(
            f"Transformers cannot load {folder.path}: {_first_line(problem)}.",
            remedy="Another folder, or a newer Transformers, may do: `llm install -U transformers`.",
        ) from problem
    return network, network.tokens


def _step(steps: Steps) -> Piece | Done | None:
    try:
        return next(steps)
    except GptOssError:
        raise
    except Exception as problem:
        full = type(problem).__name__ == "OutOfMemoryError"
        remedy = "Type `-o num_ctx` with less, or close something." if full else None
        raise EngineError(f"Transformers failed: {_first_line(problem)}.", remedy=remedy) from problem


def _short(folder: ModelFolder, context: int, needed: int, here: int, graphics: int) -> GptOssError:
    beside = f" and {_gigabytes(graphics)} on the GPU" if graphics else ""
    packed = ", where MXFP4 has to be unpacked" if needed > folder.memory(context, True) else ""
    return EngineError(
        f"{folder.path} needs about {_gigabytes(needed)} of memory with a context of {context} "
        f"tokens{packed}, and {_gigabytes(here)} are free{beside}.",
        remedy="Close something, type `-o num_ctx 4096` for a shorter context, or take a smaller one: a GGUF "
        "file of the same model stays packed everywhere (--gguf).",
    )


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")[:300]


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
