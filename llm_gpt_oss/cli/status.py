"`llm gpt-oss status`"

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from llm.cli import logs_db_path, logs_on

from ..catalog.binding import BoundModel
from ..engines.hookspecs import ModelStatus
from ..engines.registered import get_provider, installed_providers
from . import target
from .terminal import columns, memory, moment, size


@dataclass(frozen=True)
class Status:
    """What a prompt would find. `problem` is why there would be no answer, and what to type. `engines` says
    of each whether it is here."""

    engine: str
    server: str
    model: str
    log: str
    log_size: int | None
    logging: bool
    engines: dict[str, str]
    version: str | None = None
    installed: bool = False
    size: int | None = None
    loaded: bool = False
    context_length: int | None = None
    memory: int | None = None
    memory_on_gpu: int | None = None
    expires_at: str | None = None
    problem: str | None = None

    @classmethod
    def of(cls, model: BoundModel, condition: ModelStatus, engines: dict[str, str]) -> Status:
        log = Path(logs_db_path())  # type: ignore[no-untyped-call]
        seen = asdict(condition)
        return cls(
            engine=model.engine,
            server=seen.pop("address"),
            model=model.tag,
            log=str(log),
            log_size=log.stat().st_size if log.exists() else None,
            logging=logs_on(),  # type: ignore[no-untyped-call]
            engines=engines,
            **seen,
        )


def rows(status: Status) -> list[tuple[str, str]]:
    "For people: a label and what is known of it."
    unsure = "unknown" if status.version is None else "no"
    there = unsure if status.size is None else f"yes, {size(status.size)}"
    written = "nothing yet" if status.log_size is None else size(status.log_size)
    others = [f"{name}: {state}" for name, state in status.engines.items()]
    return [
        ("Engine", f"{status.engine}: {status.version or 'no answer'} at {status.server}"),
        ("Model", status.model),
        ("There", there if status.size is not None or not status.installed else "yes"),
        ("Loaded", ", ".join(["yes", *_memory(status)]) if status.loaded else unsure),
        ("Log", f"{status.log}, {written}"),
        ("Logging", "on" if status.logging else "off: `llm logs on` turns it on"),
        *(("" if number else "Others", other) for number, other in enumerate(others)),
    ]


def _memory(status: Status) -> list[str]:
    facts = [memory(status.memory, status.memory_on_gpu or 0)] if status.memory else []
    if status.context_length:
        facts.append(f"context of {status.context_length} tokens")
    if status.expires_at:
        facts.append(f"until {moment(status.expires_at)}")
    return facts


@click.command(name="status")
@click.argument("name", metavar="[TAG]", required=False)
@click.option("--engine", metavar="NAME", help="Look on this engine  [default: where a prompt would run]")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.pass_context
def command(ctx: click.Context, name: str | None, engine: str | None, json_: bool) -> None:
    """
    Say whether a prompt would be answered, by what, and where it would be logged

    The exit code is 0 if it would, else 1. Without TAG: the model that `llm -m gpt-oss` runs.
    """
    model = target.bound_model(name, engine)
    condition = get_provider(model.engine).model_status(model, model.api_key())
    status = Status.of(model, condition, states(model))
    if json_:
        click.echo(json.dumps({**asdict(status), "ready": status.problem is None}, indent=2))
    else:
        click.echo(columns(rows(status)))
        if status.problem:
            click.echo(f"Error: {status.problem}", err=True)
    ctx.exit(status.problem is not None)


def states(model: BoundModel) -> dict[str, str]:
    "A line for each engine but the model's own, which is looked at more closely."
    bound = [BoundModel(entry.tag, model.settings, entry.binding) for entry in target.registered_models()]
    return {
        name: each.summary(model.settings, [one for one in bound if one.engine == name])
        for name, each in installed_providers().items()
        if name != model.engine
    }
