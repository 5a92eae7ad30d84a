"The status of a model on an Ollama server."

from __future__ import annotations

from dataclasses import replace

from ...catalog.tags import same_model
from ...errors import EngineError, NotGptOss
from ..hookspecs import ModelStatus
from ..http.client import Client
from .answers import ModelInfo, RunningModel
from .family import family_request, is_official
from .requests import ps, tags, version


def find_installed(client: Client, tag: str) -> ModelInfo | None:
    "Return the model on the server's disk, or None."
    return next((model for model in client.send(tags()) if same_model(model.name, tag)), None)


def find_running(client: Client, tag: str) -> RunningModel | None:
    "Return the model in the server's memory, or None."
    return next((model for model in client.send(ps()) if same_model(model.name, tag)), None)


def check_family(client: Client, tag: str) -> None:
    "Raises NotGptOss if the model is of another family, and ModelMissing if it is not on the server."
    if not is_official(tag):
        client.send(family_request(tag))


def model_status(client: Client, tag: str, address: str) -> ModelStatus:
    "Return the status, with the first problem that prevents an answer."
    status = ModelStatus(address)
    try:
        status = replace(status, version=client.send(version()))
        if (model := find_installed(client, tag)) is None:
            return replace(status, problem=f"Ollama has no model {tag}. Type `llm gpt-oss pull {tag}`.")
        status = replace(status, installed=True, size=model.size)
        check_family(client, tag)
        running = find_running(client, tag)
    except (EngineError, NotGptOss) as problem:
        return replace(status, problem=str(problem))
    return status if running is None else _with_memory(status, running)


def _with_memory(status: ModelStatus, running: RunningModel) -> ModelStatus:
    return replace(
        status,
        loaded=True,
        context_length=running.context_length,
        memory=running.size,
        memory_on_gpu=running.size_vram,
        expires_at=running.expires_at,
    )
