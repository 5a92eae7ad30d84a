"The user's key for Ollama."

from __future__ import annotations

import llm


def ollama_key(given: str | None = None) -> str | None:
    "The one that was given, else stored, else in OLLAMA_API_KEY. Ollama on this machine needs none."
    key: str | None = llm.get_key(input=given, alias="ollama", env="OLLAMA_API_KEY")
    return key
