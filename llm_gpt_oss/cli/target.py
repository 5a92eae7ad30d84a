"Which server and which model a command is about."

from __future__ import annotations

from collections.abc import Collection

import click
import llm

from ..catalog.binding import DEFAULT, Hosted
from ..catalog.models_file import NOWHERE, Entry, elsewhere, read, resolve
from ..catalog.ollama_key import ollama_key
from ..catalog.tags import check_tag
from ..engines.ollama.client import Client
from ..engines.registered import kind
from ..models import GptOss
from ..settings import Server, Settings


def server() -> Server:
    "The one that a prompt would ask, with the key that it would send."
    return Settings.from_env().server.with_key(ollama_key())


def connect() -> Client:
    return Client(server(), silence=Settings.from_env().silence)


def known() -> list[Entry]:
    "Our models as llm has them, with the aliases of `llm aliases set`. Raises for a file that llm warns of."
    read()
    models = llm.get_models_with_aliases()
    return [
        Entry(one.model.model_id, (*one.aliases,), one.model.hosted.place)
        for one in models
        if isinstance(one.model, GptOss)
    ]


def tag(name: str | None) -> str:
    "What a TAG argument means: a tag, an alias, or left out."
    return check_tag(resolve(name, known()), Settings.from_env())


def hosted(name: str | None, engine: str | None = None) -> Hosted:
    """The model that a TAG argument means, on the engine that `--engine` names, else where a prompt would
    find it."""
    meant, settings = tag(name), Settings.from_env().with_engine(engine)
    place = next((entry.place for entry in reversed(known()) if entry.tag == meant), NOWHERE)
    return Hosted(meant, settings, place)


def on_ollama(name: str | None) -> str:
    "What a TAG argument means for a command that only Ollama has. ClickException for a model elsewhere."
    model = hosted(name)
    if model.engine == DEFAULT:
        return model.tag
    raise click.ClickException(
        f"{model.tag} runs on {model.engine}: only Ollama's models are pulled, loaded and unloaded like this."
    )


def check(model: Hosted) -> None:
    "GptOssError if the engine knows beforehand that it cannot have this model: a file that it cannot load."
    kind(model.engine).check(model)


def check_free(tag: str, aliases: Collection[str] = ()) -> None:
    "ClickException if llm has another plugin's model under one of these names."
    models = llm.get_model_aliases()
    for name in (tag, *aliases):
        model = models.get(name)
        if model and not isinstance(model, GptOss) and (name in aliases or elsewhere(model)):
            way = (
                "Type another alias." if name in aliases else f"Add it under another: `ollama cp {tag} NAME`."
            )
            raise click.ClickException(f"{name} already means another plugin's {model.model_id}. {way}")
