"""`llm gpt-oss serve`"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any, get_args

import click

from llm_gpt_oss.cli.target import tag
from llm_gpt_oss.engines.providers import get_provider
from llm_gpt_oss.log.secret_patterns import load_patterns

from ..http.host_names import host_of, normalize_host
from ..http.trusted_origins import is_origin_pattern
from ..key_hash import hash_given_key
from ..log.file_access import is_open_to_others
from ..settings import KEY, LogPolicy, ReasoningDisplay, ReasoningField, Settings, parse_aliases
from .run_server import serve


def _aliases(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    try:
        return parse_aliases(values)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from problem


def _origins(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if invalid := [value for value in values if not is_origin_pattern(value)]:
        raise click.BadParameter(
            f"{invalid[0]!r} is not an origin such as https://app.example, chrome-extension://* or null, "
            "without a slash at its end"
        )
    return values


def _host_names(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        name = value.removeprefix("*.")
        if value != "*" and host_of(name) != normalize_host(name):
            raise click.BadParameter(
                f"{value!r} is not a name such as llm.example.com or *.example.com, "
                "without a scheme and a port"
            )
    return values


def _key_hash(ctx: click.Context, param: click.Parameter, key: str | None) -> str | None:
    if key is None:
        return None
    click.echo(
        "Warning: other users of this machine can see --key in its list of processes. Use --key-file or "
        f"{KEY} instead.",
        err=True,
    )
    return _hash_given_key(key)


def _hash_key_of_file(file: Path) -> str:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
        raise click.ClickException(
            f"The key in {file} cannot be read: {reason}. Type --key-file with a file that has one. "
            f"`(umask 077; openssl rand -hex 32 > {quote(str(file))})` makes one there."
        ) from problem
    if is_open_to_others(file):
        click.echo(
            f"Warning: other users of this machine can read {file}. Type `chmod 600` for it.", err=True
        )
    return _hash_given_key(text.strip())


def _hash_given_key(key: str) -> str:
    try:
        return hash_given_key(key)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from problem


@click.command(name="serve")
@click.option("--host", help="Address to listen on  [default: API_HOST or 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on, 0 for any free one  [default: API_PORT or 8000]",
)
@click.option(
    "-m", "--model", help="The model that `gpt-oss` stands for  [default: LOCAL_LLM_MODEL or gpt-oss:20b]"
)
@click.option(
    "--engine",
    metavar="NAME",
    help="Engine of models that were added without one  [default: LLM_GPT_OSS_ENGINE or ollama]",
)
@click.option(
    "aliases",
    "--alias",
    multiple=True,
    callback=_aliases,
    metavar="NAME=MODEL",
    help="Another name for a model, such as gpt-4o=gpt-oss:20b or 'claude-*=gpt-oss:20b'",
)
@click.option("--all-models", is_flag=True, help="Serve all of llm's models, not only gpt-oss")
@click.option("--num-ctx", type=click.IntRange(256, 131072), help="Context length of all requests")
@click.option("--max-concurrency", type=click.IntRange(1), help="Model calls at once  [default: 4]")
@click.option("queue_size", "--queue", type=click.IntRange(0), help="Requests that may wait  [default: 64]")
@click.option(
    "-d", "--database", type=click.Path(path_type=Path, dir_okay=False), help="Log to this database"
)
@click.option("--log-policy", type=click.Choice(get_args(LogPolicy)), help="What is logged  [default: all]")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Require the key in this file, for this run  [default: LLM_GPT_OSS_PROXY_KEY]",
)
@click.option(
    "key_hash",
    "--key",
    callback=_key_hash,
    help="Require this key. Other users can see it, so use --key-file instead",
)
@click.option("--allow-unauthenticated", is_flag=True, help="Let other machines use it without a key")
@click.option(
    "allowed_hosts",
    "--allowed-host",
    multiple=True,
    callback=_host_names,
    metavar="NAME",
    help="Accept this host name from clients without a key, such as llm.example.com",
)
@click.option("--allow-model-changes", is_flag=True, help="Let apps pull and delete Ollama's models")
@click.option(
    "--allow-load-options", is_flag=True, help="Let apps set num_ctx and others, which may reload the model"
)
@click.option(
    "cors_origins",
    "--cors-origin",
    multiple=True,
    callback=_origins,
    metavar="ORIGIN",
    help="Let pages of this origin use it, such as https://app.example or chrome-extension://*",
)
@click.option(
    "--reasoning",
    type=click.Choice(get_args(ReasoningDisplay)),
    help="Where /v1/responses shows the chain of thought  [default: text, or summary if requested]",
)
@click.option(
    "--reasoning-field",
    type=click.Choice(get_args(ReasoningField)),
    help="Where chat completions have the chain of thought  [default: both]",
)
@click.option("--strict", is_flag=True, help="Refuse requests with unknown fields, as OpenAI's API does")
@click.option("--open-responses", is_flag=True, help="Use the event names of Open Responses")
@click.option(
    "idle_timeout",
    "--keep-alive",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="How long idle connections stay open  [default: 75]",
)
@click.option("--workers", type=click.IntRange(1), help="Processes, each with its own queue  [default: 1]")
@click.option("--reload", is_flag=True, help="Restart when the code changes")
def command(**options: Any) -> None:
    """
    Serve OpenAI's API to apps on this machine

    Requests and answers are logged where `llm logs` finds them.

    Example usage:

    \b
        llm gpt-oss serve --port 8123 --num-ctx 16384
        OPENAI_BASE_URL=http://127.0.0.1:8123/v1 OPENAI_API_KEY=any my-app
    """
    try:
        settings = Settings.from_env()
    except ValueError as problem:
        raise click.ClickException(str(problem)) from problem
    changes = {name: value for name, value in options.items() if value is not None}
    if key_file := changes.pop("key_file", None):
        if "key_hash" in changes:
            raise click.UsageError("Type --key-file or --key, not both.")
        changes["key_hash"] = _hash_key_of_file(key_file)
    changes["aliases"] = {**settings.aliases, **changes["aliases"]}
    if "model" in changes:
        changes["model"] = tag(changes["model"])
    if "engine" in changes:
        get_provider(changes["engine"])
    load_patterns()  # report a mistake in them here, not in each worker
    serve(replace(settings, **changes))
