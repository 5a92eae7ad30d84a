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
# The other queries are about apps and failures: tests/proxy/test_docs_sql.py.
OTHERS = ("gpt_oss_request_fields", "error is not null", "queue_ms", "actor")
SQL = [block for block in BLOCKS if not any(word in block for word in OTHERS)]


def test_there_are_queries() -> None:
    assert len(SQL) >= 8


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
        # A column without any value would be a mistake in the query.
        assert unknown == [], sql
