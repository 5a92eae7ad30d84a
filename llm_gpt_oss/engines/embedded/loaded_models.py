"The models of llama.cpp that are in memory."

from __future__ import annotations

import atexit
from functools import cache

from ..local.model_pool import Pool
from .gguf import Head
from .process import Load, Loaded


@cache
def pool() -> Pool[Load, Head, Loaded]:
    "This process's own: the models of all who ask in it."
    ours = Pool(Loaded)
    atexit.register(ours.close)
    return ours
