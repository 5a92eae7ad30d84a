"`llm gpt-oss prompt`"

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import click
import llm
import pydantic
import sqlite_utils
from click.core import ParameterSource
from llm.cli import (
    FragmentNotFound,
    LoadTemplateError,
    _apply_template,
    _gather_tools,
    _get_conversation_tools,
    _merge_template_attachments,
    _merge_template_options,
    _merge_template_tools,
    get_model_options,
    load_conversation,
    load_template,
    logs_db_path,
    render_errors,
    resolve_fragments,
    schema_option,
)
from llm.migrations import migrate
from llm.templates import Template
from llm.utils import resolve_schema_input

from ..log_turn import load_prompt
from ..models import GptOss

LAST = "last"


@dataclass(frozen=True)
class Asked:
    "What was typed, and what templates add to it."

    prompt: str | None
    model_id: str | None
    system: str | None
    options: Sequence[tuple[str, Any]]
    tools: Sequence[str]
    functions: Sequence[str]
    schema: dict[str, Any] | None
    fragments: Sequence[str]
    system_fragments: Sequence[str]
    attachments: Sequence[llm.Attachment] = ()


@click.command(name="prompt")
@click.argument("prompt", required=False)
@click.option("model_id", "-m", "--model", help="Model to use  [default: the conversation's, or gpt-oss]")
@click.option("-s", "--system", help="System prompt to use")
@click.option("options", "-o", "--option", type=(str, str), multiple=True, help="key/value options")
@click.option("tools", "-T", "--tool", multiple=True, help="Name of a tool to offer")
@click.option("functions", "--functions", multiple=True, help="Python code or file with functions to offer")
@schema_option  # type: ignore[untyped-decorator]
@click.option("fragments", "-f", "--fragment", multiple=True, help="Fragment to add to the prompt")
@click.option(
    "system_fragments",
    "--sf",
    "--system-fragment",
    multiple=True,
    help="Fragment to add to the system prompt",
)
@click.option("templates", "-t", "--template", multiple=True, help="Template to use")
@click.option("params", "-p", "--param", multiple=True, type=(str, str), help="Parameters for the template")
@click.option("continued", "-c", "--continue", is_flag=True, help="Continue the most recent conversation")
@click.option("conversation_id", "--cid", "--conversation", help="Continue the conversation with this ID")
@click.option(
    "turn_id", "--turn", metavar="ID", help="Instead: the prompt of this turn of the log, or `last`"
)
@click.option("json_", "--json", is_flag=True, help="All that the engine is asked first, as JSON")
@click.pass_context
def command(ctx: click.Context, /, turn_id: str | None, json_: bool, **typed: Any) -> None:
    """
    Print the harmony text that would be sent, without sending it

    Reads PROMPT, standard input and the options below as `llm prompt` does, with the defaults of
    `llm models options set`. Other options of `llm prompt` are not taken.

    With --turn: what a turn of the log was asked. Only --json goes with it.
    """
    if turn_id:
        _alone(ctx)
    with _log() as database:
        migrate(database)  # type: ignore[no-untyped-call]
        if turn_id:
            prompt, date = load_prompt(database, _last(database) if turn_id == LAST else turn_id)
        else:
            prompt, date = _new_prompt(database, **typed), None
    model = prompt.model
    if not isinstance(model, GptOss):
        raise click.ClickException(f"{model.model_id} is no gpt-oss: nothing is rendered for it here.")
    plan, _ = model.start_turn(prompt, stream=True, date=date)
    first = plan.next_completion()
    assert first, "a plan that was not begun is not over"
    click.echo(json.dumps(asdict(first), indent=2, ensure_ascii=False) if json_ else first.prompt)


def _alone(ctx: click.Context) -> None:
    "UsageError if more than --json stands beside --turn."
    others = [
        max(param.opts, key=len) if isinstance(param, click.Option) else param.make_metavar(ctx).strip("[]")
        for param in ctx.command.params
        if param.name not in ("turn_id", "json_")
        and ctx.get_parameter_source(param.name or "") == ParameterSource.COMMANDLINE
    ]
    if others:
        raise click.UsageError(f"--turn shows a turn as it was asked: leave out {', '.join(others)}.")


def _last(database: sqlite_utils.Database) -> str:
    row = next(database.query("select id from turns order by id desc limit 1"), {"id": LAST})
    return str(row["id"])


def _log() -> sqlite_utils.Database:
    "llm's log; an empty one where there is none yet, for printing a prompt is no reason to make it."
    return sqlite_utils.Database(_log_path())


def _log_path() -> str:
    path = logs_db_path()  # type: ignore[no-untyped-call]
    return str(path) if path.exists() else ":memory:"


def _new_prompt(
    database: sqlite_utils.Database,
    *,
    schema_input: str | None,
    templates: Sequence[str],
    params: Sequence[tuple[str, str]],
    continued: bool,
    conversation_id: str | None,
    **typed: Any,
) -> llm.Prompt:
    try:
        schema = resolve_schema_input(database, schema_input, load_template)  # type: ignore[no-untyped-call]
        asked = _templated(Asked(schema=schema, **typed), templates, dict(params))
        earlier = None
        if continued or conversation_id:
            earlier = cast(llm.Conversation | None, load_conversation(conversation_id, database=_log_path()))
        return _as_llm_would(database, asked, earlier)
    except pydantic.ValidationError as problem:
        raise click.ClickException(render_errors(problem.errors())) from problem  # type: ignore[no-untyped-call]
    except (llm.UnknownModelError, FragmentNotFound, LoadTemplateError) as problem:
        raise click.ClickException(str(problem.args[0])) from problem


def _templated(asked: Asked, names: Sequence[str], params: dict[str, str]) -> Asked:
    "With standard input and the templates, left to right."
    templates = [load_template(name) for name in names]
    read = any("input" in template.vars() for template in templates)
    if read:
        asked = replace(asked, prompt=_with_stdin(asked.prompt))
    for template in templates:
        prompt, system = _apply_template(template, asked.prompt, params, asked.system)  # type: ignore[no-untyped-call]
        asked = replace(
            asked,
            prompt=prompt,
            system=system,
            schema=template.schema_object or asked.schema,
            options=_merge_template_options(template, asked.options),  # type: ignore[no-untyped-call]
            model_id=asked.model_id or template.model,
        )
    for template in reversed(templates):
        asked = _with_lists(asked, template)
    return asked if read else replace(asked, prompt=_with_stdin(asked.prompt))


def _with_lists(asked: Asked, template: Template) -> Asked:
    "What a template lists stands before what was typed."
    tools, functions = _merge_template_tools(template, asked.tools, asked.functions)  # type: ignore[no-untyped-call]
    attachments, typed = _merge_template_attachments(template, asked.attachments, [])  # type: ignore[no-untyped-call]
    return replace(
        asked,
        tools=tools,
        functions=functions,
        attachments=[*attachments, *typed],
        fragments=[*(template.fragments or []), *asked.fragments],
        system_fragments=[*(template.system_fragments or []), *asked.system_fragments],
    )


def _with_stdin(prompt: str | None) -> str | None:
    piped = None if sys.stdin.isatty() else sys.stdin.read()
    return " ".join(filter(None, [piped, prompt])) if piped else prompt


def _as_llm_would(
    database: sqlite_utils.Database, asked: Asked, earlier: llm.Conversation | None
) -> llm.Prompt:
    if asked.prompt is None and not asked.fragments and not asked.schema:
        raise click.UsageError("There is no prompt: type one, pipe one in, or name a fragment with -f.")
    model = llm.get_model(asked.model_id or (earlier.model.model_id if earlier else "gpt-oss"))
    conversation = earlier or model.conversation()
    conversation.model = model
    tools = _get_conversation_tools(earlier, asked.tools) or asked.tools  # type: ignore[no-untyped-call]
    options = model.Options(**dict(asked.options)).model_dump(exclude_none=True)
    fragments = resolve_fragments(database, asked.fragments, allow_attachments=True)
    system_fragments = resolve_fragments(database, asked.system_fragments)
    attached = [each for each in fragments if isinstance(each, llm.Attachment)]
    # llm asks nothing until the response is read, and this one never is.
    response = conversation.prompt(
        asked.prompt,
        fragments=[each for each in fragments if not isinstance(each, llm.Attachment)],
        attachments=[*asked.attachments, *attached],
        system=asked.system,
        system_fragments=cast(list[str | llm.Fragment], system_fragments),
        tools=[*_gather_tools([*tools], [*asked.functions], model=model)],
        schema=asked.schema,
        options={**get_model_options(model.model_id), **options},
    )
    return response.prompt
