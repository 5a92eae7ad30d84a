"`llm gpt-oss status`"

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from llm.cli import logs_db_path, logs_on

from ..engines.ollama.client import Client, Running, version
from ..errors import EngineError, NotGptOss
from ..setup.model import check_family, installed, loaded
from . import target
from .terminal import columns, memory, moment, size


@dataclass(frozen=True)
class Status:
    "What a prompt would find. `problem` is why there would be no answer, and what to type."

    server: str
    model: str
    log: str
    log_size: int | None
    logging: bool
    version: str | None = None
    installed: bool = False
    size: int | None = None
    loaded: bool = False
    context_length: int | None = None
    memory: int | None = None
    memory_on_gpu: int | None = None
    expires_at: str | None = None
    problem: str | None = None


def look(client: Client, known: Status) -> Status:
    "The status with what the server says."
    tag = known.model
    try:
        known = replace(known, version=client.send(version()))
        if (model := installed(client, tag)) is None:
            return replace(known, problem=f"Ollama has no model {tag}. Type `llm gpt-oss pull {tag}`.")
        known = replace(known, installed=True, size=model.size)
        check_family(client, tag)
        running = loaded(client, tag)
    except (EngineError, NotGptOss) as problem:
        return replace(known, problem=str(problem))
    return known if running is None else _with_memory(known, running)


def _with_memory(known: Status, running: Running) -> Status:
    return replace(
        known,
        loaded=True,
        context_length=running.context_length,
        memory=running.size,
        memory_on_gpu=running.size_vram,
        expires_at=running.expires_at,
    )


def rows(status: Status) -> list[tuple[str, str]]:
    "For people: a label and what is known of it."
    unsure = "unknown" if status.version is None else "no"
    there = unsure if status.size is None else f"yes, {size(status.size)}"
    written = "nothing yet" if status.log_size is None else size(status.log_size)
    return [
        ("Ollama", f"{status.version or 'no answer'} at {status.server}"),
        ("Model", status.model),
        ("Pulled", there),
        ("Loaded", f"yes, {_memory(status)}" if status.loaded else unsure),
        ("Log", f"{status.log}, {written}"),
        ("Logging", "on" if status.logging else "off: `llm logs on` turns it on"),
    ]


def _memory(status: Status) -> str:
    facts = [memory(status.memory or 0, status.memory_on_gpu or 0)]
    if status.context_length:
        facts.append(f"context of {status.context_length} tokens")
    if status.expires_at:
        facts.append(f"until {moment(status.expires_at)}")
    return ", ".join(facts)


@click.command(name="status")
@click.argument("name", metavar="[TAG]", required=False)
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.pass_context
def command(ctx: click.Context, name: str | None, json_: bool) -> None:
    """
    Say whether a prompt would be answered, by what, and where it would be logged

    The exit code is 0 if it would, else 1. Without TAG: the model that `llm -m gpt-oss` runs.
    """
    log = Path(logs_db_path())  # type: ignore[no-untyped-call]
    log_size = log.stat().st_size if log.exists() else None
    logging: bool = logs_on()  # type: ignore[no-untyped-call]
    known = Status(target.server().url, target.tag(name), str(log), log_size, logging)
    with target.connect() as client:
        status = look(client, known)
    if json_:
        click.echo(json.dumps({**asdict(status), "ready": status.problem is None}, indent=2))
    else:
        click.echo(columns(rows(status)))
        if status.problem:
            click.echo(f"Error: {status.problem}", err=True)
    ctx.exit(status.problem is not None)
