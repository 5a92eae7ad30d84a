"The models of Transformers that are in memory."

from __future__ import annotations

import atexit
from functools import cache

from ..local.model_pool import ModelPool
from .model_folder import ModelFolder
from .model_thread import Loaded


@cache
def pool() -> ModelPool[ModelFolder, int, Loaded]:
    "This process's own: the models of all who ask in it."
    ours = ModelPool(Loaded)
    atexit.register(ours.close)
    return ours
