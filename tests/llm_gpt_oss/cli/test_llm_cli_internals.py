"What the commands use of llm's command line is there, with these parameters, and used in one module only."

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import click
import pytest
from llm import cli, utils

import llm_gpt_oss
from llm_gpt_oss.cli import llm_cli_internals

FUNCTIONS = {
    "_apply_template": ["template", "prompt", "params", "system"],
    "_gather_tools": ["tool_specs", "python_tools", "model"],
    "_get_conversation_tools": ["conversation", "tools"],
    "_merge_template_attachments": ["template", "attachments", "attachment_types"],
    "_merge_template_options": ["template", "options"],
    "_merge_template_tools": ["template", "tools", "python_tools"],
    "get_model_options": ["model_id"],
    "load_conversation": ["conversation_id", "async_", "database"],
    "load_template": ["name"],
    "logs_db_path": [],
    "logs_on": [],
    "render_errors": ["errors"],
    "resolve_fragments": ["db", "fragments", "allow_attachments"],
    "schema_option": ["fn"],
}
ERRORS = ["FragmentNotFound", "LoadTemplateError"]


def tree(module: object) -> ast.Module:
    return ast.parse(Path(str(inspect.getsourcefile(module))).read_text(encoding="utf-8"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "parameters"), FUNCTIONS.items(), ids=FUNCTIONS)
def test_llm_has_the_function_with_these_parameters(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(cli, name)).parameters) == parameters


@pytest.mark.parametrize("name", ERRORS)
def test_llm_has_the_error(name: str) -> None:
    assert issubclass(getattr(cli, name), Exception)


def test_llm_can_resolve_a_schema() -> None:
    assert list(inspect.signature(utils.resolve_schema_input).parameters) == [
        "db",
        "schema_input",
        "load_template",
    ]


def test_the_schema_option_sets_schema_input() -> None:
    command = click.command()(cli.schema_option(lambda: None))
    assert [param.name for param in command.params] == ["schema_input"]


def test_everything_that_is_used_is_named_here() -> None:
    used = {
        node.attr
        for node in ast.walk(tree(llm_cli_internals))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cli"
    }
    assert used == {*FUNCTIONS, *ERRORS}


def test_no_other_command_uses_llm_cli() -> None:
    folder = Path(str(llm_gpt_oss.__file__)).parent / "cli"
    users = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and not node.level and node.module in ("llm", "llm.cli")
        for alias in node.names
        if node.module == "llm.cli" or alias.name == "cli"
    }
    assert users == {"llm_cli_internals"}
