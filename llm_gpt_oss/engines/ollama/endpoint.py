"Ollama as a server that the HTTP client can call."

from __future__ import annotations

from ...settings import DEFAULT_READ_TIMEOUT, ServerAddress
from ..http.api import ServerApi
from ..http.endpoint import Endpoint
from ..http.ndjson import NdjsonReader
from .errors import RULES, not_ollama

API = ServerApi(NdjsonReader, RULES, not_ollama)
REMEDY = "Start it with `ollama serve`, or type `llm gpt-oss setup`, or set OLLAMA_HOST to where it runs."


def ollama_endpoint(
    server: ServerAddress, read_timeout: float = DEFAULT_READ_TIMEOUT, keepalive: float = 0
) -> Endpoint:
    return Endpoint("Ollama", server, read_timeout, REMEDY, API, keepalive)
