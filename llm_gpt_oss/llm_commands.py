"Wraps `llm prompt` and `llm chat`, so that none of their turns is lost (`log/command.py`)."

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def wrap_commands(cli: click.Group) -> None:
    "Let the two commands of llm that run a model run through `run_command`."
    for name in ("prompt", "chat"):
        command = cli.commands[name]
        if command.callback:
            command.callback = _wrapped(command.callback)


def _wrapped(callback: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(callback)
    def run(**parameters: Any) -> None:
        from .log.command import run_command

        run_command(callback, parameters)

    return run
