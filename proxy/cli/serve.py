"""`llm gpt-oss serve`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from llm_gpt_oss.cli.target import tag
from llm_gpt_oss.engines.registered import get_provider

from ..http.api_keys import hash_key
from ..http.host_names import host_of_origin
from ..settings import LogPolicy, ReasoningDisplay, Settings
from .server import serve


def _pairs(ctx: click.Context, param: click.Parameter, written: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(each.partition("=")[::2] for each in written)
    if bad := [name for name, meant in pairs.items() if not name or not meant]:
        raise click.BadParameter(f"{bad[0]!r} should be NAME=MODEL")
    return pairs


def _origins(ctx: click.Context, param: click.Parameter, written: tuple[str, ...]) -> tuple[str, ...]:
    if bad := [each for each in written if host_of_origin(each) is None]:
        raise click.BadParameter(
            f"{bad[0]!r} is no origin, such as https://app.example or http://localhost:3000"
        )
    return written


def _hash(ctx: click.Context, param: click.Parameter, key: str | None) -> str | None:
    if key is None:
        return None
    # It has to fit into a header, where spaces around it are lost.
    if not key or key != key.strip() or not (key.isascii() and key.isprintable()):
        raise click.BadParameter("a key is plain ASCII text without spaces around it")
    return hash_key(key)


@click.command(name="serve")
@click.option("--host", help="Address to listen on  [default: API_HOST or 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="0 for any that is free  [default: API_PORT or 8000]"
)
@click.option("-m", "--model", help="What `gpt-oss` means  [default: LOCAL_LLM_MODEL or gpt-oss:20b]")
@click.option(
    "--engine", metavar="NAME", help="Where models run that are bound to none  [default: LLM_GPT_OSS_ENGINE]"
)
@click.option(
    "aliases",
    "--alias",
    multiple=True,
    callback=_pairs,
    metavar="NAME=MODEL",
    help="Another name for a model, such as gpt-4o=gpt-oss:20b",
)
@click.option("--all-models", is_flag=True, help="Serve every model that llm has, not gpt-oss alone")
@click.option("--num-ctx", type=click.IntRange(256, 131072), help="Context length of all requests")
@click.option("--max-concurrency", type=click.IntRange(1), help="Model calls at once  [default: 4]")
@click.option("queue_size", "--queue", type=click.IntRange(0), help="Requests that may wait  [default: 64]")
@click.option(
    "-d", "--database", type=click.Path(path_type=Path, dir_okay=False), help="Log to this database"
)
@click.option("--log-policy", type=click.Choice(get_args(LogPolicy)), help="What is logged  [default: all]")
@click.option("key_hash", "--key", callback=_hash, help="Ask for this key, in this run")
@click.option("--allow-unauthenticated", is_flag=True, help="Let any machine ask, without a key")
@click.option("--allow-model-changes", is_flag=True, help="Let apps pull and delete Ollama's models")
@click.option(
    "cors_origins",
    "--cors-origin",
    multiple=True,
    callback=_origins,
    metavar="ORIGIN",
    help="Let pages of this origin ask from a browser",
)
@click.option(
    "--reasoning",
    type=click.Choice(get_args(ReasoningDisplay)),
    help="Where /v1/responses shows the chain of thought  [default: text, or summary for who asks for one]",
)
@click.option("--open-responses", is_flag=True, help="Name its events as Open Responses does")
@click.option("--workers", type=click.IntRange(1), help="Processes, each with its own queue  [default: 1]")
@click.option("--reload", is_flag=True, help="Start anew when the code changes")
def command(**given: Any) -> None:
    """
    Serve OpenAI's endpoints to any app on this machine

    What apps ask is logged where `llm logs` finds it.

    Example usage:

    \b
        llm gpt-oss serve --port 8123 --num-ctx 16384
        OPENAI_BASE_URL=http://127.0.0.1:8123/v1 OPENAI_API_KEY=any my-app
    """
    try:
        settings = Settings.from_env()
    except ValueError as problem:
        raise click.ClickException(str(problem)) from problem
    chosen = {name: value for name, value in given.items() if value is not None}
    if "model" in chosen:
        chosen["model"] = tag(chosen["model"])
    if "engine" in chosen:
        get_provider(chosen["engine"])
    serve(replace(settings, **chosen))
