"A server that other machines can use without a key. Its clients there are one actor."

from __future__ import annotations

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.requests import CHAT, MINIMAL, Greeting, asking

OUTSIDE = ("192.168.1.5", 8000)
RESPONSE: dict[str, Any] = {"model": "gpt-oss:20b", "input": "Hi"}


@pytest.fixture
def log(tmp_path: Path) -> dict[str, Any]:
    return {"database": tmp_path / "logs.db", "log_policy": "all", "allow_unauthenticated": True}


def outside(log: dict[str, Any]) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return asking(Greeting(), address=OUTSIDE, **log)


def inside(log: dict[str, Any]) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return asking(Greeting(), **log)


async def created(client: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_what_a_client_stores_it_finds(log: dict[str, Any]) -> None:
    async with outside(log) as client, outside(log) as other:
        response = await created(client, "/v1/responses", RESPONSE)
        items = [{"role": "user", "content": "Hi"}]
        conversation = await created(client, "/v1/conversations", {"items": items})
        completion = await created(client, CHAT, {**MINIMAL, "store": True})
        background = await created(client, "/v1/responses", {**RESPONSE, "background": True})
        for path in (
            f"/v1/responses/{response['id']}",
            f"/v1/responses/{response['id']}/input_items",
            f"/v1/responses/{background['id']}",
            f"/v1/conversations/{conversation['id']}/items",
            f"{CHAT}/{completion['id']}",
        ):
            for each in (client, other):
                assert (await each.get(path)).status_code == 200, path
        listed = (await client.get(CHAT)).json()["data"]
        assert [each["id"] for each in listed] == [completion["id"]]
        for fields in ({"previous_response_id": response["id"]}, {"conversation": conversation["id"]}):
            await created(client, "/v1/responses", {**RESPONSE, **fields})


async def test_what_programs_on_this_machine_store_stays_theirs(log: dict[str, Any]) -> None:
    async with outside(log) as stranger, inside(log) as own:
        mine = await created(own, "/v1/responses", RESPONSE)
        theirs = await created(stranger, "/v1/responses", RESPONSE)
        assert (await stranger.get(f"/v1/responses/{mine['id']}")).status_code == 404
        answer = await stranger.post("/v1/responses", json={**RESPONSE, "previous_response_id": mine["id"]})
        assert answer.json()["error"]["code"] == "previous_response_not_found"
        assert (await own.get(f"/v1/responses/{theirs['id']}")).status_code == 200


async def test_the_same_history_is_another_thread(log: dict[str, Any]) -> None:
    async with outside(log) as stranger, inside(log) as own:
        for client in (own, stranger):
            answer = (await created(client, CHAT, MINIMAL))["choices"][0]["message"]
            messages = [*MINIMAL["messages"], answer, {"role": "user", "content": "?"}]
            await created(client, CHAT, {**MINIMAL, "messages": messages})
    with closing(sqlite3.connect(log["database"])) as database:
        threads = database.execute(
            "select group_concat(coalesce(actor, 'own')) from gpt_oss_requests join turns on turn_id = id "
            "group by thread_id order by thread_id"
        )
        assert threads.fetchall() == [("own,own",), ("--allow-unauthenticated,--allow-unauthenticated",)]
