"""Wraps `llm prompt` and `llm chat`.

None of their turns is lost (`log/command.py`), the program that reads their output may end, and they say how
to get a gpt-oss that llm does not know.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import llm


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
        from .standard_output import any_output

        with any_output(), _explaining_unknown_models():
            run_command(callback, parameters)

    return run


@contextmanager
def _explaining_unknown_models() -> Iterator[None]:
    "Say what to type if a model that llm does not know could be a gpt-oss. Other models keep llm's message."
    from .catalog.tags import is_tag

    try:
        yield
    except click.ClickException as error:
        if isinstance(error.__context__, llm.UnknownModelError):
            message, name = error.__context__.args[0].split(": ", 1)
            if "gpt-oss" in name.casefold() and is_tag(name):
                raise click.ClickException(
                    f"{message}: {name}. To run it on Ollama, type `llm gpt-oss models add {name}` and "
                    f"`llm gpt-oss pull {name}`. `llm gpt-oss models` lists the models that you have."
                ) from error
        raise
