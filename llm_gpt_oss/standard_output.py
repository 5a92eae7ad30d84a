"""The standard output of commands: it takes any text, and its reader may end first, as `head` does."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

# The exit code of a program that SIGPIPE ended, by convention of shells: 128 + 13.
PIPE_CLOSED = 141


class OutputClosed(SystemExit):
    "Ends the program without a message, because nobody reads what it prints."

    def __init__(self) -> None:
        super().__init__(PIPE_CLOSED)

    def __str__(self) -> str:
        return "interrupted: the program that reads the output has ended"


@contextmanager
def any_output() -> Iterator[None]:
    """Let a command print whatever an engine sent, to a reader that may end.

    Text that cannot be encoded, such as half of a surrogate pair, is printed as an escape. Raises
    OutputClosed if nobody reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
        _flush()
    except BaseException as error:
        if is_output_closed(error):
            _discard_output()
            raise OutputClosed from error
        raise


def is_output_closed(error: BaseException) -> bool:
    """Whether a command ended with this error because the program that reads its output has ended.

    llm's commands raise an error of click for it. A broken connection to an engine is an error of ours.
    """
    cause = error.__context__ if isinstance(error, click.ClickException) else error
    return isinstance(cause, BrokenPipeError)


def _flush() -> None:
    try:
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        pass  # a full disk, for example: Python tries again when it ends, and reports it


def _discard_output() -> None:
    "Discard the rest of the output. At exit Python flushes it, and would print that this failed."
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)
