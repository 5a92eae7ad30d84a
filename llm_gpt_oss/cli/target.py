"Which server and which model a command is about."

from __future__ import annotations

from collections.abc import Collection

import click
import llm

from ..catalog.binding import DEFAULT_ENGINE, BoundModel
from ..catalog.models_file import UNBOUND, ModelEntry, is_foreign_model, read_aliases, resolve_tag
from ..catalog.ollama_key import ollama_key
from ..catalog.tags import check_tag
from ..engines.http.client import Client
from ..engines.ollama.endpoint import ollama_endpoint
from ..engines.registered import get_provider
from ..models import GptOss
from ..settings import ServerAddress, Settings


def server() -> ServerAddress:
    "The one that a prompt would ask, with the key that it would send."
    return Settings.from_env().server.with_key(ollama_key())


def connect() -> Client:
    return Client(ollama_endpoint(server(), Settings.from_env().read_timeout))


def known() -> list[ModelEntry]:
    "Our models as llm has them, with the aliases of `llm aliases set`. Raises for a file that llm warns of."
    read_aliases()
    models = llm.get_models_with_aliases()
    return [
        ModelEntry(one.model.model_id, (*one.aliases,), one.model.bound_model.binding)
        for one in models
        if isinstance(one.model, GptOss)
    ]


def tag(name: str | None) -> str:
    "What a TAG argument means: a tag, an alias, or left out."
    return check_tag(resolve_tag(name, known()), Settings.from_env())


def bound_model(name: str | None, engine: str | None = None) -> BoundModel:
    """The model that a TAG argument means, on the engine that `--engine` names, else where a prompt would
    find it."""
    meant, settings = tag(name), Settings.from_env().with_engine(engine)
    place = next((entry.binding for entry in reversed(known()) if entry.tag == meant), UNBOUND)
    return BoundModel(meant, settings, place)


def on_ollama(name: str | None) -> str:
    "What a TAG argument means for a command that only Ollama has. ClickException for a model elsewhere."
    model = bound_model(name)
    if model.engine == DEFAULT_ENGINE:
        return model.tag
    raise click.ClickException(
        f"{model.tag} runs on {model.engine}: only Ollama's models are pulled, loaded and unloaded like this."
    )


def check(model: BoundModel) -> None:
    "GptOssError if the engine knows beforehand that it cannot have this model: a file that it cannot load."
    get_provider(model.engine).check(model)


def check_free(tag: str, aliases: Collection[str] = ()) -> None:
    "ClickException if llm has another plugin's model under one of these names."
    models = llm.get_model_aliases()
    for name in (tag, *aliases):
        model = models.get(name)
        if model and not isinstance(model, GptOss) and (name in aliases or is_foreign_model(model)):
            way = (
                "Type another alias." if name in aliases else f"Add it under another: `ollama cp {tag} NAME`."
            )
            raise click.ClickException(f"{name} already means another plugin's {model.model_id}. {way}")
