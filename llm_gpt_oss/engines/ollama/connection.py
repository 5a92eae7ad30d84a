"Ollama as httpx meets it."

from __future__ import annotations

from contextlib import AbstractContextManager

from ...errors import EngineError
from ...settings import Server
from ..http import connection
from ..http.connection import Peer, async_options, options

__all__ = ["async_options", "faults", "options"]

REMEDY = "Start it with `ollama serve`, or type `llm gpt-oss setup`, or set OLLAMA_HOST to where it runs."


def faults(
    server: Server, silence: float, broken: type[EngineError] = EngineError
) -> AbstractContextManager[None]:
    "What httpx raises, as one of our errors: `broken` where an answer was expected and did not come whole."
    return connection.faults(Peer("Ollama", server, silence, REMEDY), broken)
