"""The models that Transformers has in memory."""

from __future__ import annotations

import atexit
from functools import cache

from ..local.model_pool import ModelPool
from .model_folder import ModelFolder
from .model_thread import ModelThread


@cache
def pool() -> ModelPool[ModelFolder, int, ModelThread]:
    "Return the pool that all engines in this process share."
    models = ModelPool(ModelThread)
    atexit.register(models.close)
    return models
