"""What the commands use of LLM's command line, none of which is LLM's public API.

The comments say which public function is missing. `tests/llm_gpt_oss/cli/test_llm_cli_internals.py` names
everything that is used here, so that a change in LLM breaks that test alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import llm
import sqlite_utils
from llm import cli, utils
from llm.templates import Template

# Missing: public errors for a fragment and a template that do not exist.
FragmentNotFound = cli.FragmentNotFound
LoadTemplateError = cli.LoadTemplateError

# Missing: the options of `llm prompt`, to reuse in other commands.
schema_option: Callable[[Any], Any] = cli.schema_option

# Missing: where the log is, and whether LLM logs.


def logs_db_path() -> Path:
    "The path of the log's database, which need not exist."
    return cast(Path, cli.logs_db_path())  # type: ignore[no-untyped-call]


def logs_on() -> bool:
    "Whether LLM logs prompts."
    return cast(bool, cli.logs_on())  # type: ignore[no-untyped-call]


# Missing: loading a conversation from a database.


def load_conversation(conversation_id: str | None, database: str) -> llm.Conversation | None:
    "Load a conversation, or the latest one for None. Raise ClickException if the id does not exist."
    return cast(llm.Conversation | None, cli.load_conversation(conversation_id, database=database))


# Missing: default options of a model, and the text of an invalid option.


def get_model_options(model_id: str) -> dict[str, Any]:
    "The options that `llm models options set` stored."
    return cast(dict[str, Any], cli.get_model_options(model_id))


def render_errors(errors: Sequence[Any]) -> str:
    "The message for errors of a `pydantic.ValidationError`."
    return cast(str, cli.render_errors(errors))  # type: ignore[no-untyped-call]


# Missing: turning what people type after -f, -T, --functions and --schema into objects.


def resolve_fragments(
    database: sqlite_utils.Database, names: Iterable[str], *, allow_attachments: bool = False
) -> list[llm.Fragment | llm.Attachment]:
    "Load fragments by alias, hash, file name, URL or `prefix:argument`. Raise FragmentNotFound."
    return cli.resolve_fragments(database, names, allow_attachments=allow_attachments)


def gather_tools(names: Sequence[str], functions: Sequence[str], model: llm.Model) -> list[Any]:
    "The tools with these names, and those of Python code or files with functions."
    return cast(list[Any], cli._gather_tools([*names], [*functions], model=model))


def get_conversation_tools(conversation: llm.Conversation | None, names: Sequence[str]) -> list[str] | None:
    "The names of the conversation's tools from plugins. None if there are none, or if `names` has any."
    return cast("list[str] | None", cli._get_conversation_tools(conversation, names))  # type: ignore[no-untyped-call]


def resolve_schema(database: sqlite_utils.Database, schema_input: str | None) -> dict[str, Any] | None:
    "The JSON schema for a value of --schema: JSON, a file, the short syntax, an id, or a template."
    schema = utils.resolve_schema_input(database, schema_input, cli.load_template)  # type: ignore[no-untyped-call]
    return cast("dict[str, Any] | None", schema)


# Missing: loading a template and applying it to a prompt.


def load_template(name: str) -> Template:
    "Load a template by name or path. Raise LoadTemplateError."
    return cli.load_template(name)


def apply_template(
    template: Template, prompt: str | None, params: Mapping[str, str], system: str | None
) -> tuple[str | None, str | None]:
    "The prompt and the system prompt with the template applied. Raise ClickException for missing parameters."
    return cast(
        "tuple[str | None, str | None]",
        cli._apply_template(template, prompt, params, system),  # type: ignore[no-untyped-call]
    )


def merge_template_options(
    template: Template, options: Sequence[tuple[str, Any]]
) -> Sequence[tuple[str, Any]]:
    "`options`, then those of the template that `options` does not set."
    return cast(Sequence[tuple[str, Any]], cli._merge_template_options(template, options))  # type: ignore[no-untyped-call]


def merge_template_tools(
    template: Template, names: Sequence[str], functions: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    "The template's tools and functions, then these."
    return cast(
        tuple[Sequence[str], Sequence[str]],
        cli._merge_template_tools(template, names, functions),  # type: ignore[no-untyped-call]
    )


def merge_template_attachments(
    template: Template, attachments: Sequence[llm.Attachment]
) -> Sequence[llm.Attachment]:
    "The template's attachments, then these."
    plain, with_types = cli._merge_template_attachments(template, attachments, [])  # type: ignore[no-untyped-call]
    return [*plain, *with_types]
