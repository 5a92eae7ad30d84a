"The SQL of the documentation that needs the tables of the API server."

from __future__ import annotations

import re
from pathlib import Path

from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

PAGE = (Path(__file__).parents[2] / "docs/log.md").read_text(encoding="utf-8")
SQL = [block for block in re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.M) if "gpt_oss_" in block]


async def test_requests_are_counted_by_app() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        await proxy.chat(user="Hi", headers={"user-agent": "editor"})
        await proxy.chat(user="Hi again", headers={"user-agent": "editor"})
        ((actor, client, endpoint, requests, errors, queue_ms),) = proxy.rows(SQL[0])
    assert (actor, client, endpoint, requests, errors) == (None, "editor", "/v1/chat/completions", 2, 0)
    assert queue_ms >= 0


async def test_long_fields_are_counted_by_value() -> None:
    tools = [{"type": "function", "function": {"name": "look", "description": "Looks. " * 100}}]
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        for text in ("Hi", "Hi again"):
            await proxy.chat(user=text, tools=tools)
        ((name, requests, characters),) = proxy.rows(SQL[1])
    assert (name, requests) == ("tools", 2)
    assert characters > 700
