"llm's command line with the installed plugin, and queries of its log."

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import llm
from click.testing import CliRunner, Result
from llm.cli import cli


def sh(*arguments: str, typed: str | None = None, fails: bool = False) -> Result:
    "Run `llm ARGUMENTS`. It has to succeed, or with `fails` to exit with an error and no traceback."
    result = CliRunner().invoke(cli, arguments, input=typed)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert (result.exit_code != 0) is fails, result.output
    return result


def query(sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(llm.user_dir() / "logs.db")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(sql)]


def column(sql: str) -> list[Any]:
    return [value for row in query(sql) for value in row.values()]
