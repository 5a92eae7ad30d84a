"`llm gpt-oss models`"

from __future__ import annotations

import json
from typing import Any

import click
from llm.utils import dicts_to_table_string

from ..catalog import models_file
from ..catalog.binding import BoundModel
from ..engines.providers import get_provider
from ..settings import MODEL, Settings
from .engine_options import EngineOptionsCommand, engine_binding
from .target import check_names_are_free, registered_models

HEADINGS = ["tag", "aliases", "engine", "from"]


@click.group(name="models")
def command() -> None:
    "List, add and remove the models that LLM knows"


@command.command(name="list")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
def list_models(json_: bool) -> None:
    "List the models with their aliases, their engines, and where they are configured"
    settings = Settings.from_env()
    rows = [
        (tag, aliases, BoundModel(tag, settings, binding).engine, _origin(tag, settings.model))
        for tag, aliases, binding in registered_models()
    ]
    if json_:
        click.echo(json.dumps([dict(zip(HEADINGS, row, strict=True)) for row in rows], indent=2))
        return
    cells = [
        {"tag": tag, "aliases": ", ".join(aliases), "engine": engine, "from": origin}
        for tag, aliases, engine, origin in rows
    ]
    click.echo("\n".join(line.rstrip() for line in dicts_to_table_string(HEADINGS, cells)))


def _origin(tag: str, local_model: str | None) -> str:
    if tag == local_model:
        return MODEL
    return "built in" if tag in models_file.BUILT_IN else "added"


@command.command(cls=EngineOptionsCommand)
@click.argument("tag")
@click.option("aliases", "--alias", multiple=True, metavar="NAME", help="Another name for the model")
@click.option("--label", metavar="TEXT", help="Show this text above each of the model's answers")
@click.option(
    "--engine", metavar="NAME", help="Run it on this engine  [default: selected by the options below]"
)
def add(
    tag: str, aliases: tuple[str, ...], label: str | None, engine: str | None, **engine_options: Any
) -> None:
    """
    Add a model: a tag of Ollama, a file, or the model of a server

    Example usage:

    \b
        llm gpt-oss models add gpt-oss-safeguard:20b --alias safeguard
        llm gpt-oss models add mine --gguf gpt-oss-20b-mxfp4.gguf --context 32768
        llm gpt-oss models add big --completions http://10.0.0.5:8000 --model openai/gpt-oss-120b
        llm gpt-oss models add box --proxy http://box:8000 --key laptop
        llm gpt-oss models add full --transformers openai/gpt-oss-20b
    """
    binding = engine_binding(engine, label, engine_options)
    check_names_are_free(tag, aliases)
    if binding and binding.engine:
        model = BoundModel(tag, Settings.from_env(), binding)
        get_provider(model.engine).check(model)
    models_file.add(tag, aliases, binding)
    click.echo(f"Added {tag}. Type `llm -m {aliases[0] if aliases else tag}` to run it.", err=True)


@command.command()
@click.argument("tag")
def remove(tag: str) -> None:
    """Remove a model that `add` added

    Ollama keeps its files.
    """
    models_file.remove(tag)
    click.echo(f"Removed {tag}.", err=True)
