"""What `llm prompt` and `llm chat` print on standard error in addition to the answer.

Nothing is printed anywhere else: a program that uses the models decides for itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import click
import llm

from .llm_internals import has_output

if TYPE_CHECKING:
    from .turn.note import Note

# The notes that tell how the printed answer differs from what was requested. All notes are in the log.
PRINTED_KINDS = ("length", "truncated", "misfit")


def print_label(label: str | None, response: llm.Response | llm.AsyncResponse) -> None:
    "Print the label of the model above its answer. A chain of tool calls prints it once."
    if label and llm_command() and not response.prompt.tool_results:
        click.echo(click.style(label, fg="yellow"), err=True)


def print_notes(notes: Iterable[Note], *, streamed: bool) -> None:
    """Print notes on lines of their own.

    After a streamed answer the cursor is at the end of its line, which llm ends later. An answer that is not
    streamed is printed by llm after the notes.
    """
    if llm_command():
        for note in notes:
            if note.kind in PRINTED_KINDS:
                text = f"\n{note.text}" if streamed else note.text
                click.echo(click.style(text, fg="yellow"), err=True, nl=not streamed)


def end_line(response: llm.Response | llm.AsyncResponse) -> None:
    "End the line of what was streamed so far, so that an error starts a new one."
    if llm_command() and response.stream and (has_output(response) or earlier_responses(response)):
        click.echo(err=True)


def earlier_responses(response: llm.Response | llm.AsyncResponse) -> list[llm.Response | llm.AsyncResponse]:
    "The earlier responses of the same conversation in this process, such as earlier rounds of a chain."
    return cast(list[Any], response.conversation.responses) if response.conversation else []


def llm_command() -> click.Context | None:
    "The running `llm prompt` or `llm chat`; None under any other command and in other programs."
    context = click.get_current_context(silent=True)
    # Importing llm.cli would load all plugins of llm. If its commands run, it is imported already.
    cli = sys.modules.get("llm.cli")
    return context if context and cli and context.command in (cli.prompt, cli.chat) else None
