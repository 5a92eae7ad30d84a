"The models of Transformers that are in memory."

from __future__ import annotations

import atexit
from functools import cache

from ..local.model_pool import Pool
from .model_folder import Folder
from .model_thread import Loaded


@cache
def pool() -> Pool[Folder, int, Loaded]:
    "This process's own: the models of all who ask in it."
    ours = Pool(Loaded)
    atexit.register(ours.close)
    return ours
