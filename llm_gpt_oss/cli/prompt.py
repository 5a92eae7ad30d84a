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
from llm.migrations import migrate
from llm.templates import Template

from ..logged_prompt import first_completion, load_prompt
from .llm_cli_internals import (
    FragmentNotFound,
    LoadTemplateError,
    apply_template,
    gather_tools,
    get_conversation_tools,
    get_model_options,
    load_conversation,
    load_template,
    logs_db_path,
    merge_template_attachments,
    merge_template_options,
    merge_template_tools,
    render_errors,
    resolve_fragments,
    resolve_schema,
    schema_option,
)

LATEST = "last"


@dataclass(frozen=True)
class PromptArguments:
    "The arguments of the command, and what templates add to them."

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
@schema_option
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
@click.option("continue_", "-c", "--continue", is_flag=True, help="Continue the most recent conversation")
@click.option("conversation_id", "--cid", "--conversation", help="Continue the conversation with this ID")
@click.option(
    "turn_id",
    "--turn",
    metavar="ID",
    help="Print the prompt of a turn in the log instead: its ID, or `last`",
)
@click.option("json_", "--json", is_flag=True, help="Output the first request to the engine as JSON")
@click.pass_context
def command(ctx: click.Context, /, turn_id: str | None, json_: bool, **arguments: Any) -> None:
    """
    Print the harmony text of a prompt, without sending it

    Reads PROMPT, standard input and the options below like `llm prompt`, and the defaults of `llm models
    options set`. Other options of `llm prompt` are not available.

    Use --turn to print the prompt of a turn in the log. You can only combine it with --json.
    """
    if turn_id:
        _check_turn_only(ctx)
    with _open_log() as database:
        migrate(database)  # type: ignore[no-untyped-call]
        if turn_id:
            prompt, date = load_prompt(database, _latest_turn(database) if turn_id == LATEST else turn_id)
        else:
            prompt, date = _create_prompt(database, **arguments), None
    completion = first_completion(prompt, date)
    click.echo(json.dumps(asdict(completion), indent=2, ensure_ascii=False) if json_ else completion.prompt)


def _check_turn_only(ctx: click.Context) -> None:
    "Raise UsageError if --turn is combined with anything but --json."
    others = [
        max(param.opts, key=len) if isinstance(param, click.Option) else param.make_metavar(ctx).strip("[]")
        for param in ctx.command.params
        if param.name not in ("turn_id", "json_")
        and ctx.get_parameter_source(param.name or "") == ParameterSource.COMMANDLINE
    ]
    if others:
        raise click.UsageError(f"--turn prints a prompt from the log: leave out {', '.join(others)}.")


def _latest_turn(database: sqlite_utils.Database) -> str:
    "The id of the latest turn; `last` if the log is empty."
    row = next(database.query("select id from turns order by id desc limit 1"), {"id": LATEST})
    return str(row["id"])


def _open_log() -> sqlite_utils.Database:
    return sqlite_utils.Database(_log_path())


def _log_path() -> str:
    "The path of the log. If there is none, an empty database in memory: this command creates no log."
    path = logs_db_path()
    return str(path) if path.exists() else ":memory:"


def _create_prompt(
    database: sqlite_utils.Database,
    *,
    schema_input: str | None,
    templates: Sequence[str],
    params: Sequence[tuple[str, str]],
    continue_: bool,
    conversation_id: str | None,
    **arguments: Any,
) -> llm.Prompt:
    "Create the prompt as `llm prompt` does. Raise ClickException for arguments that cannot be used."
    try:
        schema = resolve_schema(database, schema_input)
        prompt_arguments = PromptArguments(schema=schema, **arguments)
        with_templates = _apply_templates(prompt_arguments, templates, dict(params))
        conversation = None
        if continue_ or conversation_id:
            conversation = load_conversation(conversation_id, _log_path())
        return _build_prompt(database, with_templates, conversation)
    except pydantic.ValidationError as problem:
        raise click.ClickException(render_errors(problem.errors())) from problem
    except (llm.UnknownModelError, FragmentNotFound, LoadTemplateError) as problem:
        raise click.ClickException(str(problem.args[0])) from problem


def _apply_templates(
    arguments: PromptArguments, names: Sequence[str], params: dict[str, str]
) -> PromptArguments:
    "Add standard input, and the templates from left to right."
    templates = [load_template(name) for name in names]
    template_reads_input = any("input" in template.vars() for template in templates)
    if template_reads_input:
        arguments = replace(arguments, prompt=_with_stdin(arguments.prompt))
    for template in templates:
        prompt, system = apply_template(template, arguments.prompt, params, arguments.system)
        arguments = replace(
            arguments,
            prompt=prompt,
            system=system,
            schema=template.schema_object or arguments.schema,
            options=merge_template_options(template, arguments.options),
            model_id=arguments.model_id or template.model,
        )
    for template in reversed(templates):
        arguments = _prepend_template_lists(arguments, template)
    return arguments if template_reads_input else replace(arguments, prompt=_with_stdin(arguments.prompt))


def _prepend_template_lists(arguments: PromptArguments, template: Template) -> PromptArguments:
    "Put the template's tools, fragments and attachments before those of the arguments."
    tools, functions = merge_template_tools(template, arguments.tools, arguments.functions)
    return replace(
        arguments,
        tools=tools,
        functions=functions,
        attachments=merge_template_attachments(template, arguments.attachments),
        fragments=[*(template.fragments or []), *arguments.fragments],
        system_fragments=[*(template.system_fragments or []), *arguments.system_fragments],
    )


def _with_stdin(prompt: str | None) -> str | None:
    piped = None if sys.stdin.isatty() else sys.stdin.read()
    return " ".join(filter(None, [piped, prompt])) if piped else prompt


def _build_prompt(
    database: sqlite_utils.Database, arguments: PromptArguments, earlier: llm.Conversation | None
) -> llm.Prompt:
    if arguments.prompt is None and not arguments.fragments and not arguments.schema:
        raise click.UsageError("There is no prompt: type one, pipe one in, or name a fragment with -f.")
    model = llm.get_model(arguments.model_id or (earlier.model.model_id if earlier else "gpt-oss"))
    conversation = earlier or model.conversation()
    conversation.model = model
    tools = get_conversation_tools(earlier, arguments.tools) or arguments.tools
    options = model.Options(**dict(arguments.options)).model_dump(exclude_none=True)
    fragments = resolve_fragments(database, arguments.fragments, allow_attachments=True)
    system_fragments = resolve_fragments(database, arguments.system_fragments)
    attachments = [fragment for fragment in fragments if isinstance(fragment, llm.Attachment)]
    # LLM sends a prompt when its response is read. This response is never read.
    response = conversation.prompt(
        arguments.prompt,
        fragments=[fragment for fragment in fragments if not isinstance(fragment, llm.Attachment)],
        attachments=[*arguments.attachments, *attachments],
        system=arguments.system,
        system_fragments=cast(list[str | llm.Fragment], system_fragments),
        tools=gather_tools(tools, arguments.functions, model),
        schema=arguments.schema,
        options={**get_model_options(model.model_id), **options},
    )
    return response.prompt
