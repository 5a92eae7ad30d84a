"How it is with a model at an Ollama."

from __future__ import annotations

from dataclasses import replace

from ...catalog.tags import same_model
from ...errors import EngineError, NotGptOss
from ..hookspecs import ModelStatus
from .client import Client, ModelInfo, RunningModel, ps, tags, version
from .engine import family_request, is_known_family


def find_installed(client: Client, tag: str) -> ModelInfo | None:
    "The model on the server's disk."
    return next((model for model in client.send(tags()) if same_model(model.name, tag)), None)


def find_running(client: Client, tag: str) -> RunningModel | None:
    "The model in the server's memory."
    return next((model for model in client.send(ps()) if same_model(model.name, tag)), None)


def check_family(client: Client, tag: str) -> None:
    "NotGptOss if the model, which has to be there, is of another family."
    if not is_known_family(tag, set()):
        client.send(family_request(tag))


def model_status(client: Client, tag: str, address: str) -> ModelStatus:
    "What the server says of the model."
    seen = ModelStatus(address)
    try:
        seen = replace(seen, version=client.send(version()))
        if (model := find_installed(client, tag)) is None:
            return replace(seen, problem=f"Ollama has no model {tag}. Type `llm gpt-oss pull {tag}`.")
        seen = replace(seen, installed=True, size=model.size)
        check_family(client, tag)
        running = find_running(client, tag)
    except (EngineError, NotGptOss) as problem:
        return replace(seen, problem=str(problem))
    return seen if running is None else _with_memory(seen, running)


def _with_memory(seen: ModelStatus, running: RunningModel) -> ModelStatus:
    return replace(
        seen,
        loaded=True,
        context_length=running.context_length,
        memory=running.size,
        memory_on_gpu=running.size_vram,
        expires_at=running.expires_at,
    )
