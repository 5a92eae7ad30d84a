"The models of llama.cpp that are in memory."

from __future__ import annotations

import atexit
from functools import cache

from ..local.model_pool import ModelPool
from .gguf import Head
from .process import Load, Loaded


@cache
def pool() -> ModelPool[Load, Head, Loaded]:
    "This process's own: the models of all who ask in it."
    ours = ModelPool(Loaded)
    atexit.register(ours.close)
    return ours
