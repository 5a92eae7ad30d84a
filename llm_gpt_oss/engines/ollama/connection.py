"Ollama as httpx meets it."

from __future__ import annotations

from contextlib import AbstractContextManager

from ...errors import EngineError
from ...settings import ServerAddress
from ..http import connection
from ..http.connection import Endpoint, async_client_options, client_options

__all__ = ["async_client_options", "client_options", "faults"]

REMEDY = "Start it with `ollama serve`, or type `llm gpt-oss setup`, or set OLLAMA_HOST to where it runs."


def faults(
    server: ServerAddress, silence: float, broken: type[EngineError] = EngineError
) -> AbstractContextManager[None]:
    "What httpx raises, as one of our errors: `broken` where an answer was expected and did not come whole."
    return connection.translate_errors(Endpoint("Ollama", server, silence, REMEDY), broken)
