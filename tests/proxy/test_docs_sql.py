"The SQL of the page about the log, run on the log of an app's requests."

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, cut, stopped

from llm_gpt_oss.errors import EngineError

PAGE = (Path(__file__).parents[2] / "docs/log.md").read_text(encoding="utf-8")
# The queries by the heading before each.
QUERIES = {
    section.partition("\n")[0]: sql
    for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
    for sql in re.findall(r"^```sql\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
}
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
COUNTS = {"load_ms": 1.0, "prompt_ms": 2.0, "completion_ms": 100.0}
CALL = "<|channel|>commentary to=functions.look <|constrain|>json<|message|>{}"
LOOK = {"type": "function", "function": {"name": "look", "description": "Looks. " * 100}}
# What has no value in this log.
UNKNOWN = {"actor": "Apps and their keys"}


@pytest.fixture
async def logged() -> AsyncIterator[Proxied]:
    "An app that used a tool, got a short answer, and met an error of the engine."
    script = [
        cut(f"{THOUGHT}{FINAL}Very", **COUNTS),
        EngineError("The engine is on fire."),
        stopped(f"{THOUGHT}{CALL}", **COUNTS),
        stopped(f"{THOUGHT}{FINAL}Sunny.", **COUNTS),
    ]
    async with proxied(AsyncScriptedEngine(*script)) as proxy:
        editor = {"user-agent": "editor/1.2"}
        await proxy.chat(user="Hi", headers=editor)
        await proxy.chat(user="Are you well?", headers=editor)
        asks = {"role": "user", "content": "Is it sunny?"}
        answer = (await proxy.chat(asks, tools=[LOOK], headers=editor)).json()["choices"][0]["message"]
        result = {
            "role": "tool",
            "tool_call_id": answer["tool_calls"][0]["id"],
            "content": "yes",
        }
        await proxy.chat(asks, answer, result, tools=[LOOK], headers=editor)
        yield proxy


def found(proxy: Proxied, query: str) -> list[dict[str, Any]]:
    with sqlite_utils.Database(proxy.server.settings.database) as log:
        return [*log.query(QUERIES[query])]


async def test_each_query_finds_something(logged: Proxied) -> None:
    assert len(QUERIES) == 12
    for query in QUERIES:
        rows = found(logged, query)
        assert rows, query
        empty = {name for name in rows[0] if all(row[name] is None for row in rows)}
        assert empty <= {name for name, where in UNKNOWN.items() if where == query}, query


async def test_queries_are_short() -> None:
    assert {sql.count("\n") for query, sql in QUERIES.items() if "gpt_oss_request_fields" not in sql} == {3}


async def test_an_app_is_found_with_what_it_asked(logged: Proxied) -> None:
    rows = found(logged, "What an app asked")
    assert [(row["prompt"], row["reasoning"], row["answer"]) for row in rows] == [
        ("Is it sunny?", "Hm.", "Sunny."),
        ("Is it sunny?", "Hm.", None),
        ("Are you well?", None, None),
        ("Hi", "Hm.", "Very"),
    ]


async def test_failures_and_cut_answers(logged: Proxied) -> None:
    (failure,) = found(logged, "What failed, and why")
    assert (failure["status"], failure["prompt"]) == (502, "Are you well?")
    assert "on fire" in failure["error"]
    (cut_answer,) = found(logged, "What was repaired or cut")
    assert (cut_answer["finish_reason"], cut_answer["notes"]) == ("length", "length")


async def test_sums(logged: Proxied) -> None:
    (app,) = found(logged, "Apps and their keys")
    assert (app["app"], app["endpoint"], app["turns"], app["errors"]) == (
        *("editor", "/v1/chat/completions"),
        *(4, 1),
    )
    (day,) = found(logged, "Tokens a day")
    assert (day["turns"], day["input_tokens"]) == (4, 300)
    (thread, *_) = [row for row in found(logged, "Latest threads") if row["turns"] == 2]
    assert (thread["apps"], thread["last_prompt"]) == ("editor", "Is it sunny?")
    ((call),) = found(logged, "Tool calls with their results")
    assert call == {"tool_name": "look", "arguments": "{}", "output": "yes"}


async def test_long_fields_are_counted_by_value(logged: Proxied) -> None:
    (field,) = found(logged, "Requests of apps")
    assert (field["name"], field["requests"]) == ("tools", 2)
    assert field["characters"] > 700
