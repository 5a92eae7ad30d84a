"`llm gpt-oss status`"

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..catalog.binding import BoundModel
from ..engines.hookspecs import ModelStatus
from ..engines.providers import get_provider, installed_providers
from ..log.problems import log_problems
from . import target
from .llm_cli_internals import logs_db_path, logs_on
from .terminal import columns, format_memory, format_size, format_time


@dataclass(frozen=True)
class Status:
    """The state of a model, its engine and LLM's log, in which `last_turn` is the latest one.

    `checked` is what the engine reports about the model. `engines` are the summaries of the other engines by
    name. `log_problems` are what keeps turns from being logged, with what to type.
    """

    engine: str
    model: str
    checked: ModelStatus
    log: str
    log_size: int | None
    last_turn: str | None
    logging: bool
    log_problems: list[str]
    engines: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        "Return the object that `--json` prints."
        checked = asdict(self.checked)
        return {
            "engine": self.engine,
            "server": checked.pop("address"),
            "model": self.model,
            "log": self.log,
            "log_size": self.log_size,
            "last_turn": self.last_turn,
            "logging": self.logging,
            "log_problems": self.log_problems,
            "engines": self.engines,
            **checked,
            "ready": self.checked.problem is None,
        }


def create_status(model: BoundModel, checked: ModelStatus, engines: dict[str, str]) -> Status:
    "Combine the status of a model with the summaries of other engines and the state of the log."
    log = logs_db_path()
    return Status(
        engine=model.engine,
        model=model.tag,
        checked=checked,
        log=str(log),
        log_size=log.stat().st_size if log.exists() else None,
        last_turn=_last_turn(log),
        logging=logs_on(),
        log_problems=list(log_problems(log)),
        engines=engines,
    )


def status_rows(status: Status) -> list[tuple[str, str]]:
    "Labels and texts for people."
    checked = status.checked
    no = "unknown" if checked.version is None else "no"
    installed = "yes" if checked.installed else no
    log_size = "nothing yet" if status.log_size is None else format_size(status.log_size)
    others = [f"{name}: {summary}" for name, summary in status.engines.items()]
    return [
        ("Engine", f"{status.engine}: {checked.version or 'no answer'} at {checked.address}"),
        ("Model", status.model),
        ("Installed", installed if checked.size is None else f"yes, {format_size(checked.size)}"),
        ("Loaded", ", ".join(["yes", *_memory_details(checked)]) if checked.loaded else no),
        *([("Context", _context(checked))] if checked.context_length or checked.trained_context else []),
        ("Log", f"{status.log}, {log_size}"),
        ("Logging", "on" if status.logging else "off: `llm logs on` turns it on"),
        *([("Last turn", f"`llm gpt-oss explore {status.last_turn}` shows it")] if status.last_turn else []),
        *(("" if number else "Others", other) for number, other in enumerate(others)),
    ]


def _last_turn(log: Path) -> str | None:
    "The id of the latest turn. None if there is none, or if the log cannot be read: `log_problems` says why."
    try:
        with closing(sqlite3.connect(f"{log.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as database:
            row = database.execute("select max(id) from turns").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def _memory_details(status: ModelStatus) -> list[str]:
    details = [format_memory(status.memory, status.memory_on_gpu or 0)] if status.memory else []
    if status.expires_at:
        details.append(f"until {format_time(status.expires_at)}")
    return details


def _context(status: ModelStatus) -> str:
    length = f"{status.context_length} tokens" if status.context_length else "unknown"
    return f"{length}, at most {status.trained_context}" if status.trained_context else length


@click.command(name="status")
@click.argument("name", metavar="[TAG]", required=False)
@click.option("--engine", metavar="NAME", help="Check this engine  [default: the one of the model's prompts]")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.pass_context
def command(ctx: click.Context, name: str | None, engine: str | None, json_: bool) -> None:
    """
    Check whether a prompt would be answered, and where it would be logged

    The exit code is 0 if it would be answered, otherwise 1. The default for TAG is the model of `llm -m
    gpt-oss`.
    """
    model = target.bound_model(name, engine)
    checked = get_provider(model.engine).model_status(model, model.api_key())
    status = create_status(model, checked, other_engines(model))
    if json_:
        click.echo(json.dumps(status.to_json(), indent=2))
    else:
        click.echo(columns(status_rows(status)))
        for problem in status.log_problems:
            click.echo(f"Warning: {problem}", err=True)
        if checked.problem:
            click.echo(f"Error: {checked.problem}", err=True)
    ctx.exit(checked.problem is not None)


def other_engines(model: BoundModel) -> dict[str, str]:
    "The summaries of all engines except the model's own, by name."
    entries = target.registered_models()
    models = [BoundModel(entry.tag, model.settings, entry.binding) for entry in entries]
    return {
        name: provider.summary(model.settings, [other for other in models if other.engine == name])
        for name, provider in installed_providers().items()
        if name != model.engine
    }
