"""Checks that the text that people give to `llm prompt` and `llm chat` is UTF-8, as the log requires."""

from __future__ import annotations

import io
import sys

import click

# Parameters that are not checked: file names, and the key, which has its own error.
NOT_TEXT = ("database", "save", "key")
CONVERT = "Convert it first, for example with `iconv -f latin1 -t utf-8`."


def require_utf8(context: click.Context) -> None:
    "Raise ClickException for invalid bytes in the arguments, and make reading them from stdin fail."
    for parameter in context.command.params:
        if parameter.name in NOT_TEXT or _is_utf8(context.params.get(parameter.name or "")):
            continue
        kind = parameter.param_type_name
        name = parameter.opts[-1] if kind == "option" else parameter.human_readable_name
        raise click.ClickException(f"The {kind} {name} is not valid UTF-8. {CONVERT}")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="strict")


def _is_utf8(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_utf8, value))
    return not (isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value))
