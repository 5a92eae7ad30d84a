"`llm gpt-oss models`"

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from llm.utils import dicts_to_table_string

from ..catalog import models_file
from ..catalog.binding import BoundModel
from ..catalog.models_file import EngineBinding
from ..settings import MODEL, Settings
from .target import check, check_free, known

# What is typed for which engine, and tells which one is meant; the first says where its model is.
FACTS = {
    "embedded": ("gguf", "threads", "gpu_layers"),
    "llama-server": ("llama_server",),
    "completions": ("completions", "dialect"),
    "transformers": ("transformers",),
}
URLS = ("llama-server", "completions")
LOCAL = ("embedded", "transformers")
SHARED = {"model": URLS, "key": URLS, "headers": URLS, "context": LOCAL}
DIALECTS = ("vllm", "llama.cpp")
HEADINGS = ["tag", "aliases", "engine", "from"]


@click.group(name="models")
def command() -> None:
    "Which tags are models of llm: list them, add your own, remove them"


@command.command(name="list")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
def list_models(json_: bool) -> None:
    "List the tags, their aliases, their engines, and what makes them known"
    settings = Settings.from_env()
    rows = [
        (tag, aliases, BoundModel(tag, settings, place).engine, _origin(tag, settings.model))
        for tag, aliases, place in known()
    ]
    if json_:
        click.echo(json.dumps([dict(zip(HEADINGS, row, strict=True)) for row in rows], indent=2))
        return
    shown = [
        {"tag": tag, "aliases": ", ".join(aliases), "engine": engine, "from": origin}
        for tag, aliases, engine, origin in rows
    ]
    click.echo("\n".join(line.rstrip() for line in dicts_to_table_string(HEADINGS, shown)))


def _origin(tag: str, local: str | None) -> str:
    if tag == local:
        return MODEL
    return "built in" if tag in models_file.BUILT_IN else "added"


@command.command()
@click.argument("tag")
@click.option("aliases", "--alias", multiple=True, metavar="NAME", help="Another name for it after `llm -m`")
@click.option("--label", metavar="TEXT", help="Show this above each of its answers")
@click.option("--engine", metavar="NAME", help="Run it on this engine  [default: what is typed below tells]")
@click.option(
    "--gguf",
    metavar="FILE",
    type=click.Path(resolve_path=True),
    help="embedded: the file",
)
@click.option("--threads", type=click.IntRange(1), help="embedded: processor cores to use")
@click.option("--gpu-layers", type=click.IntRange(0), help="embedded: layers to put on the GPU, 0 for none")
@click.option(
    "--context", type=click.IntRange(256, 131072), help="embedded, transformers: context length in tokens"
)
@click.option("--llama-server", metavar="URL", help="llama-server: where llama.cpp's server answers")
@click.option("--completions", metavar="URL", help="completions: where vLLM, or a server like it, answers")
@click.option(
    "--dialect", type=click.Choice(DIALECTS), help="completions: which server it is  [default: vllm]"
)
@click.option(
    "--transformers",
    metavar="FOLDER",
    callback=lambda ctx, param, value: _whole(value),
    help="transformers: the folder of the model, or its id on Hugging Face",
)
@click.option("--model", metavar="NAME", help="The server's own name for the model  [default: TAG]")
@click.option("--key", metavar="NAME", help="Send the server this key of `llm keys`")
@click.option(
    "headers", "--header", multiple=True, metavar="HEADER", help="Send the server this `Name: value`"
)
def add(tag: str, aliases: tuple[str, ...], engine: str | None, **facts: Any) -> None:
    """
    Make a tag, a file or a server's model one of llm's

    Example usage:

    \b
        llm gpt-oss models add gpt-oss-safeguard:20b --alias safeguard
        llm gpt-oss models add mine --gguf gpt-oss-20b-mxfp4.gguf --context 32768
        llm gpt-oss models add big --completions http://10.0.0.5:8000 --model openai/gpt-oss-120b
        llm gpt-oss models add full --transformers openai/gpt-oss-20b
    """
    place = _place(engine, {name: fact for name, fact in facts.items() if fact not in (None, ())})
    check_free(tag, aliases)
    if place and place.engine:
        check(BoundModel(tag, Settings.from_env(), place))
    models_file.add(tag, aliases, place)
    click.echo(f"Added {tag}. Type `llm -m {aliases[0] if aliases else tag}` to run it.", err=True)


def _place(engine: str | None, given: dict[str, Any]) -> EngineBinding | None:
    "What was typed, as the file has it; None if nothing was. UsageError for what does not go together."
    told = {name for name, (where, *_) in FACTS.items() if where in given} | ({engine} if engine else set())
    told = told or {name for name, fact in FACTS.items() for typed in fact if typed in given}
    if not told and not given:
        return None
    label = {"label": given.pop("label")} if "label" in given else {}
    if len(told) != 1:
        *some, last = (f"--{fact[0].replace('_', '-')}" for fact in FACTS.values())
        raise click.UsageError(f"A model runs on one engine: type {', '.join(some)} or {last}.")
    [name] = told
    allowed = (*FACTS.get(name, ()), *(fact for fact, engines in SHARED.items() if name in engines))
    if strange := [typed for typed in given if typed not in allowed]:
        raise click.UsageError(f"The engine {name} has no use for --{strange[0].replace('_', '-')}.")
    where = given.pop(name.replace("-", "_"), None)
    at = {"url" if name in URLS else "weights": where} if where else {}
    return EngineBinding(name, {**at, **label, **{k: _plain(v) for k, v in given.items()}})


def _whole(folder: str | None) -> str | None:
    "A folder wherever it is named from; what is none may be an id."
    path = Path(folder or "").expanduser()
    return str(path.resolve()) if folder and path.is_dir() else folder


def _plain(fact: Any) -> Any:
    return list(fact) if isinstance(fact, tuple) else fact


@command.command()
@click.argument("tag")
def remove(tag: str) -> None:
    "Take back what `add` did. Ollama keeps the model."
    models_file.remove(tag)
    click.echo(f"Removed {tag}.", err=True)
