"""The models that llama.cpp has in memory."""

from __future__ import annotations

import atexit
from functools import cache

from ..gguf_header import GgufHeader
from ..local.model_pool import ModelPool
from .process import LoadOptions, ModelProcess


@cache
def pool() -> ModelPool[LoadOptions, GgufHeader, ModelProcess]:
    "Return the pool that all engines in this process share."
    models = ModelPool(ModelProcess)
    atexit.register(models.close)
    return models
