"""Parts of the documentation that come from the code, as Markdown.

Pages call these functions in cog blocks. `make cog` updates the pages, and `make lint` checks that they are
current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from llm.cli import cli

from llm_gpt_oss import settings
from llm_gpt_oss.catalog.models_file import BUILT_IN
from llm_gpt_oss.log.views.versions import all_views
from llm_gpt_oss.options import GptOssOptions
from llm_gpt_oss.turn.note import MEANINGS
from proxy.explore.queries import QUERIES, ReadyQuery
from proxy.http.errors import SHAPES, ErrorShape
from proxy.http.field_table import FieldTable
from proxy.metrics.definitions import METRICS

ROOT = Path(__file__).parent.parent

# Variables that are read outside llm_gpt_oss/settings.py.
OTHER_VARIABLES = {
    "OLLAMA_API_KEY": "The key to send to Ollama. `llm keys set ollama` stores one instead",
    "LLM_GPT_OSS_OLLAMA_RELEASE": "Where `llm gpt-oss setup` downloads Ollama from, like its option `--from`",
    "API_HOST": "The address that `llm gpt-oss serve` listens on. Default: 127.0.0.1",
    "API_PORT": "The port that `llm gpt-oss serve` listens on. Default: 8000",
    "LLM_GPT_OSS_PROXY_ALIASES": "More names of models for `llm gpt-oss serve`, like its option `--alias`: "
    "`NAME=MODEL`, separated by spaces",
    "LLM_GPT_OSS_PROXY_KEY": "A key that clients of `llm gpt-oss serve` must send, like the one in "
    "`--key-file`",
    "LLM_GPT_OSS_PROXY": "Internal: `serve` passes its settings to its worker processes in it",
}
TYPES = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "`1` or `0`",
    "array": "list",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    "A Markdown table with an empty line before and after it."
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + "\n"


def models() -> str:
    "The built-in models and their aliases."
    rows = ((f"`{tag}`", ", ".join(f"`{alias}`" for alias in aliases)) for tag, aliases in BUILT_IN.items())
    return table(["model", "aliases"], rows)


def engines() -> str:
    "What each engine supports, from the last run of `make engines`."
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/engines")]
    from table import rows

    head, *body = rows()
    return table(head, body)


def clients() -> str:
    "Which cases of each client passed in the last run of `make clients`."
    sys.path[:0] = [str(ROOT / "tests")]
    from support.clients.results import rows

    head, *body = rows()
    return table(head, body)


def options() -> str:
    "The options of the models: names, accepted values, descriptions."
    fields = GptOssOptions.model_json_schema()["properties"]
    rows = ((f"`{name}`", values(field), field["description"]) for name, field in fields.items())
    return table(["option", "values", "description"], rows)


def values(field: Mapping[str, Any]) -> str:
    "The values that an option accepts, from its JSON schema."
    types = [each for each in field["anyOf"] if each.get("type") != "null"]
    if "enum" in types[0]:
        return ", ".join(f"`{value}`" for value in types[0]["enum"])
    if len(types) > 1:  # every whole number is a number
        types = [each for each in types if each["type"] != "integer"]
    return " or ".join(TYPES[each["type"]] + limits(each) for each in types)


def limits(schema: Mapping[str, Any]) -> str:
    "The smallest and the largest number that a JSON schema allows, in words."
    low, high, above = (schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if high == 2**31 - 1:
        high = None
    if above is not None:
        return f" above {above}, up to {high}"
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else ""


def environment() -> str:
    "The environment variables: those of settings.py's docstring, then the others."
    documented = dict(re.findall(r"^\| ([A-Z_]+) \| (.+) \|$", settings.__doc__ or "", re.MULTILINE))
    rows = ((f"`{name}`", meaning) for name, meaning in {**documented, **OTHER_VARIABLES}.items())
    return table(["variable", "meaning"], rows)


def fields(field_table: FieldTable) -> str:
    """The fields of an endpoint's request (its FIELDS): what the server does with each, and its limits.

    Fields that are not honoured share a row if the same is done with them."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, field in field_table.items():
        note = "; ".join(filter(None, (f"as `{field.target}`" if field.target else "", field.note)))
        own_row = name if field.decision == "honoured" else ""
        rows.setdefault((field.decision, note, own_row), []).append(f"`{name}`")
    return table(
        ["field", "support", "notes"],
        ((", ".join(names), decision, note) for (decision, note, _), names in rows.items()),
    )


def notes() -> str:
    "The kinds of notes, and what they mean."
    return table(["note", "meaning"], ((f"`{kind}`", meaning) for kind, meaning in MEANINGS.items()))


def views() -> str:
    "Our views of the log: what a row is, and the columns."
    parts = []
    for view in all_views():
        columns = table(["column", "meaning"], ((f"`{each.name}`", each.meaning) for each in view.columns))
        parts.append(f"\n### `{view.name}`\n\n{view.meaning}.\n{columns.rstrip()}\n")
    return "".join(parts) + "\n"


def errors() -> str:
    "How the API reports each error of the models: status, type, code, and whether clients retry it."
    rows = (
        (f"`{error.__name__}`", str(shape.status), f"`{shape.type}`", f"`{shape.code}`", _retried(shape))
        for error, shape in SHAPES.items()
        if shape.code
    )
    return table(["error", "status", "type", "code", "retried by clients"], rows)


def _retried(shape: ErrorShape) -> str:
    return "no" if shape.retry_after is None else f"after {shape.retry_after} s"


def metrics() -> str:
    "The metrics of the server: names, types, labels, meanings."
    rows = (
        (f"`{each.name}`", each.type, ", ".join(f"`{label}`" for label in each.labels), each.help)
        for each in METRICS
    )
    return table(["metric", "type", "labels", "meaning"], rows)


def ready_queries() -> str:
    "The ready queries of `/logs`."
    return table(["query", "address", "what it shows"], map(_ready_query, QUERIES))


def _ready_query(query: ReadyQuery) -> Sequence[str]:
    return query.title, f"`/logs/log/{query.name}`", query.description


def commands() -> str:
    "`--help` of every `llm gpt-oss` command, each under its own heading."
    return (
        "".join(f"\n## llm {' '.join(path)}\n\n```text\n{help_text(path)}\n```\n" for path in command_paths())
        + "\n"
    )


def command_paths() -> Iterator[list[str]]:
    "`gpt-oss`, then the path of each of its subcommands, depth first."

    def walk(command: click.Command, path: list[str]) -> Iterator[list[str]]:
        yield path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner
                yield from walk(inner, [*path, name])

    yield from walk(cli.commands["gpt-oss"], ["gpt-oss"])


def help_text(path: Sequence[str]) -> str:
    "What `llm PATH --help` prints in a terminal of 80 columns."
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="llm", terminal_width=80)
    return result.output.rstrip()


def losses() -> str:
    "The README's table of what gets lost in Ollama's `/api/chat`."
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^\| *\| through `/api/chat` \|.*?\n\n", readme, re.MULTILINE | re.DOTALL)
    assert found
    return f"\n{found[0]}"
