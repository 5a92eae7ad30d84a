"The SQL of the documentation, run on the log of real prompts."

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.shell import query, sh

PAGES = (Path(__file__).parents[2] / "docs").glob("*.md")
BLOCKS = [
    block
    for page in sorted(PAGES)
    for block in re.findall(
        r"^```sql\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
]
# The API server makes the other tables: tests/proxy/test_docs_sql.py.
SQL = [block for block in BLOCKS if "gpt_oss_" not in block]


def test_there_are_queries() -> None:
    assert len(SQL) >= 5


@pytest.mark.vcr
def test_each_query_finds_something(log: Callable[..., Path]) -> None:
    log()
    sh("-m", "gpt-oss", "What is the capital of France?", "-o", "reasoning_effort", "high")
    sh("-m", "gpt-oss", "Count to 120", "-o", "max_tokens", "5")
    functions = 'def weather(city: str):\n    "Weather in a city"\n    return f"Sunny in {city}"'
    sh("-m", "gpt-oss", "What is the weather in Oslo?", "--functions", functions)
    for sql in SQL:
        rows = query(sql)
        assert rows, sql
        unknown = [name for name in rows[0] if all(row[name] is None for row in rows)]
        # None of these prompts broke off. Any other column without a value would be a mistake in the query.
        assert set(unknown) <= {"error"}, sql
