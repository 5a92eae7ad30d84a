"`llm gpt-oss prompt`"

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
import llm
import pydantic
import sqlite_utils
from llm.cli import (
    _gather_tools,
    load_template,
    logs_db_path,
    render_errors,
    schema_option,
)
from llm.logs import LogStore
from llm.migrations import migrate
from llm.parts import Message
from llm.utils import resolve_schema_input

from ..logged import logged_prompt
from ..models import GptOss


@click.command(name="prompt")
@click.argument("prompt", required=False)
@click.option("model_id", "-m", "--model", default="gpt-oss", show_default=True, help="Model to use")
@click.option("-s", "--system", help="System prompt to use")
@click.option("options", "-o", "--option", type=(str, str), multiple=True, help="key/value options")
@click.option("tools", "-T", "--tool", multiple=True, help="Name of a tool to offer")
@click.option("functions", "--functions", multiple=True, help="Python code or file with functions to offer")
@schema_option  # type: ignore[untyped-decorator]
@click.option("conversation_id", "--cid", "--conversation", help="Continue the conversation with this ID")
@click.option("turn_id", "--turn", help="Instead: the prompt of this turn of the log")
@click.option("json_", "--json", is_flag=True, help="All that the engine is asked first, as JSON")
def command(turn_id: str | None, json_: bool, **asked: Any) -> None:
    """
    Print the harmony text that would be sent, without sending it

    Takes a prompt as `llm prompt` does, or a turn of the log.
    """
    with _log() as database:
        migrate(database)  # type: ignore[no-untyped-call]
        if turn_id:
            prompt, date = logged_prompt(database, turn_id)
        else:
            prompt, date = _new_prompt(database, **asked), None
    model = prompt.model
    if not isinstance(model, GptOss):
        raise click.ClickException(f"{model.model_id} is no gpt-oss: nothing is rendered for it here.")
    plan, _ = model.plan(prompt, stream=True, date=date)
    first = plan.next()
    assert first, "a plan that was not begun is not over"
    click.echo(json.dumps(asdict(first), indent=2, ensure_ascii=False) if json_ else first.prompt)


def _log() -> sqlite_utils.Database:
    "llm's log; an empty one where there is none yet, for printing a prompt is no reason to make it."
    path = logs_db_path()  # type: ignore[no-untyped-call]
    return sqlite_utils.Database(path) if path.exists() else sqlite_utils.Database(memory=True)


def _new_prompt(
    database: sqlite_utils.Database,
    prompt: str | None,
    model_id: str,
    system: str | None,
    options: tuple[tuple[str, str], ...],
    tools: tuple[str, ...],
    functions: tuple[str, ...],
    schema_input: str | None,
    conversation_id: str | None,
) -> llm.Prompt:
    try:
        model = llm.get_model(model_id)
        checked = model.Options(**dict(options))
    except llm.UnknownModelError as problem:
        raise click.ClickException(str(problem)) from problem
    except pydantic.ValidationError as problem:
        raise click.ClickException(render_errors(problem.errors())) from problem  # type: ignore[no-untyped-call]
    conversation = model.conversation()
    if conversation_id:
        conversation.loaded_messages = _history(database, conversation_id)
    # llm asks nothing until the response is read, and this one never is.
    response = conversation.prompt(
        prompt,
        system=system,
        tools=[*_gather_tools(list(tools), list(functions), model=model)],
        schema=resolve_schema_input(database, schema_input, load_template),  # type: ignore[no-untyped-call]
        options=checked.model_dump(exclude_none=True),
    )
    return response.prompt


def _history(database: sqlite_utils.Database, conversation_id: str) -> list[Message]:
    try:
        return LogStore(database).thread_messages(conversation_id)  # type: ignore[no-untyped-call]
    except KeyError as problem:
        raise click.ClickException(f"There is no conversation {conversation_id!r} in the log.") from problem
