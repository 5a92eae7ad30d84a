"The server and the model that a command works with."

from __future__ import annotations

from collections.abc import Collection

import click
import llm

from ..catalog.binding import DEFAULT_ENGINE, BoundModel, ollama_key
from ..catalog.models_file import UNBOUND, ModelEntry, is_foreign_model, read_aliases, resolve_tag
from ..catalog.tags import check_tag
from ..engines.http.client import Client
from ..engines.ollama.endpoint import ollama_endpoint
from ..models import GptOss
from ..settings import ServerAddress, Settings


def server() -> ServerAddress:
    "The address of Ollama with the API key that a prompt would send."
    return Settings.from_env().server.with_key(ollama_key())


def connect() -> Client:
    "A client for Ollama, to be closed by the caller."
    return Client(ollama_endpoint(server(), Settings.from_env().read_timeout))


def registered_models() -> list[ModelEntry]:
    """This plugin's models as LLM has them, with the aliases of `llm aliases set`.

    Raise GptOssError if the file of models cannot be read. Registering only warns about it.
    """
    read_aliases()
    models = llm.get_models_with_aliases()
    return [
        ModelEntry(entry.model.model_id, (*entry.aliases,), entry.model.bound_model.binding)
        for entry in models
        if isinstance(entry.model, GptOss)
    ]


def tag(name: str | None) -> str:
    "The tag that a TAG argument stands for: a tag, an alias, or None for the model of `llm -m gpt-oss`."
    return check_tag(resolve_tag(name, registered_models()), Settings.from_env())


def bound_model(name: str | None, engine: str | None = None) -> BoundModel:
    "The model that a TAG argument stands for, on `engine` or else on the engine that runs its prompts."
    model_tag, settings = tag(name), Settings.from_env().with_engine(engine)
    models = reversed(registered_models())
    binding = next((entry.binding for entry in models if entry.tag == model_tag), UNBOUND)
    return BoundModel(model_tag, settings, binding)


def ollama_tag(name: str | None) -> str:
    "The tag that a TAG argument stands for. Raise ClickException if the model does not run on Ollama."
    model = bound_model(name)
    if model.engine == DEFAULT_ENGINE:
        return model.tag
    raise click.ClickException(
        f"{model.tag} runs on {model.engine}. This command is only for models that run on Ollama."
    )


def check_names_are_free(tag: str, aliases: Collection[str] = ()) -> None:
    "Raise ClickException if LLM has a model of another plugin under one of these names."
    models = llm.get_model_aliases()
    for name in (tag, *aliases):
        model = models.get(name)
        if model and not isinstance(model, GptOss) and (name in aliases or is_foreign_model(model)):
            remedy = "Type another alias." if name in aliases else f"Rename yours: `ollama cp {tag} NAME`."
            raise click.ClickException(f"{name} is another plugin's model, {model.model_id}. {remedy}")
