"The status of a model on an Ollama server."

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...catalog.tags import same_model
from ...errors import EngineError, NotGptOss
from ...settings import Settings
from ..hookspecs import ModelStatus
from ..http.client import Client
from ..local import gpu, memory
from .answers import ModelDetails, ModelInfo, RunningModel
from .default_context import default_context_length
from .family import family_request, is_official, require_gpt_oss
from .requests import ps, show, tags, version


def find_installed(client: Client, tag: str) -> ModelInfo | None:
    "Return the model on the server's disk, or None."
    return next((model for model in client.send(tags()) if same_model(model.name, tag)), None)


def find_running(client: Client, tag: str, running: Sequence[RunningModel]) -> RunningModel | None:
    """Return the model among those in the server's memory, or None.

    Ollama lists a model under the name that it was loaded with, which may be another one of the same model.
    """
    if model := next((model for model in running if same_model(model.name, tag)), None):
        return model
    if not running or not (installed := find_installed(client, tag)):
        return None
    return next((model for model in running if model.digest and model.digest == installed.digest), None)


def check_family(client: Client, tag: str) -> None:
    "Raises NotGptOss if the model is of another family, and ModelMissing if it is not on the server."
    if not is_official(tag):
        client.send(family_request(tag))


def model_status(client: Client, tag: str, settings: Settings) -> ModelStatus:
    "Return the status, with the first problem that prevents an answer."
    status = ModelStatus(client.endpoint.server.url)
    try:
        status = replace(status, version=client.send(version()))
        if (model := find_installed(client, tag)) is None:
            return replace(status, problem=f"Ollama has no model {tag}. Type `llm gpt-oss pull {tag}`.")
        status = replace(status, installed=True, size=model.size)
        details = _details(client, tag)
        running = find_running(client, tag, client.send(ps()))
    except (EngineError, NotGptOss) as problem:
        return replace(status, problem=str(problem))
    status = _with_details(status, details)
    if client.endpoint.server.loopback:
        status = replace(status, possible_context=_possible_context(details, model, running))
    length = (
        (running and running.context_length) or details.context_length or default_context_length(settings)
    )
    if length:
        status = replace(status, context_length=min(length, status.trained_context or length))
    return status if running is None else _with_memory(status, running)


def _details(client: Client, tag: str) -> ModelDetails:
    "Return the details. Raises NotGptOss for another family, and EngineError if Ollama does not tell."
    try:
        details = client.send(show(tag))
    except EngineError:
        # Prompts to these tags do not need the details either.
        if is_official(tag):
            return ModelDetails("")
        raise
    if not is_official(tag):
        require_gpt_oss(tag, details)
    return details


def _with_details(status: ModelStatus, details: ModelDetails) -> ModelStatus:
    header = details.header
    return replace(
        status,
        trained_context=header.trained_context or None,
        parameters=header.parameters or None,
        embedding_length=header.embedding_length or None,
    )


def _possible_context(details: ModelDetails, model: ModelInfo, running: RunningModel | None) -> int | None:
    "Return the longest context that fits into the free memory, and into what the model itself has now."
    free = memory.available_memory()
    if free is None:
        return None
    header = details.header._replace(size=model.size)
    return header.longest_context(free + gpu.gpu_memory().least + (running.size if running else 0))


def _with_memory(status: ModelStatus, running: RunningModel) -> ModelStatus:
    return replace(
        status,
        loaded=True,
        memory=running.size,
        memory_on_gpu=running.size_vram,
        expires_at=running.expires_at,
    )
