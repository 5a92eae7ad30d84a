"How it is with a model at an Ollama."

from __future__ import annotations

from dataclasses import replace

from ...catalog.tags import same
from ...errors import EngineError, NotGptOss
from ..hookspecs import Condition
from .client import Client, ModelInfo, Running, ps, tags, version
from .engine import harmonic, speaks_harmony


def installed(client: Client, tag: str) -> ModelInfo | None:
    "The model on the server's disk."
    return next((model for model in client.send(tags()) if same(model.name, tag)), None)


def loaded(client: Client, tag: str) -> Running | None:
    "The model in the server's memory."
    return next((model for model in client.send(ps()) if same(model.name, tag)), None)


def check_family(client: Client, tag: str) -> None:
    "NotGptOss if the model, which has to be there, is of another family."
    if not speaks_harmony(tag, set()):
        client.send(harmonic(tag))


def look(client: Client, tag: str, address: str) -> Condition:
    "What the server says of the model."
    seen = Condition(address)
    try:
        seen = replace(seen, version=client.send(version()))
        if (model := installed(client, tag)) is None:
            return replace(seen, problem=f"Ollama has no model {tag}. Type `llm gpt-oss pull {tag}`.")
        seen = replace(seen, installed=True, size=model.size)
        check_family(client, tag)
        running = loaded(client, tag)
    except (EngineError, NotGptOss) as problem:
        return replace(seen, problem=str(problem))
    return seen if running is None else _with_memory(seen, running)


def _with_memory(seen: Condition, running: Running) -> Condition:
    return replace(
        seen,
        loaded=True,
        context_length=running.context_length,
        memory=running.size,
        memory_on_gpu=running.size_vram,
        expires_at=running.expires_at,
    )
