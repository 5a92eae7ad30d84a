"""The model that the repository ships, and an engine that can load it.

with door() as server:    # llama.cpp's own server, with the model
    ...                   # server.url, and server.headers with its key
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from llm_gpt_oss.engines.embedded.gguf import read_header
from llm_gpt_oss.engines.embedded.process import LoadOptions, ModelProcess
from llm_gpt_oss.settings import ServerAddress

FILE = Path(__file__).parents[1] / "models" / "gpt-oss-tiny.gguf"
CONTEXT = 4096
LOAD = LoadOptions(str(FILE), CONTEXT, threads=1, gpu_layers=0)

needs_xllamacpp = pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="needs the engine embedded: pip install xllamacpp"
)


@contextmanager
def door(load: LoadOptions = LOAD) -> Iterator[ServerAddress]:
    loaded = ModelProcess(load, read_header(Path(load.path)))
    try:
        yield loaded.server
    finally:
        loaded.close()
