"""Where Ollama is, for the endpoints that ask it in its own words."""

from __future__ import annotations

from llm_gpt_oss.catalog.binding import ollama_key
from llm_gpt_oss.settings import ServerAddress as Ollama

from .state import ProxyState


def upstream(server: ProxyState) -> Ollama:
    "With the user's key, if there is one, as the models ask it. Raises GptOssError for a broken key."
    return server.plugin_settings.server.with_key(ollama_key())
