"The header `x-llm-turn` leads from an answer to its turn in the log."

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.requests import CHAT, MINIMAL, Greeting, asking
from support.scripted_server import Scripted, answer
from support.turn_logs import TurnLog

from llm_gpt_oss.errors import EngineUnreachable

HEADER = "x-llm-turn"
MESSAGES = {"model": "gpt-oss", "max_tokens": 99, "messages": MINIMAL["messages"]}
RESPONSE = {"model": "gpt-oss", "input": "Hi"}
REQUESTS = {
    "chat": (CHAT, MINIMAL),
    "responses": ("/v1/responses", RESPONSE),
    "completions": ("/v1/completions", {"model": "gpt-oss", "prompt": "Hi"}),
    "messages": ("/v1/messages", MESSAGES),
}


@asynccontextmanager
async def logging(path: Path, engine: Any = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(engine, database=path / "logs.db", log_policy="all", **settings) as client:
        yield client


def turns(path: Path) -> list[str]:
    log = TurnLog(path / "logs.db")
    ids = [row["id"] for row in log.db.query("select id from turns order by id")]
    log.db.close()
    return ids


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", REQUESTS)
async def test_the_turn(tmp_path: Path, name: str, stream: bool) -> None:
    path, body = REQUESTS[name]
    async with logging(tmp_path) as client:
        response = await client.post(path, json={**body, "stream": stream})
    assert response.status_code == 200
    assert [response.headers[HEADER]] == turns(tmp_path)
    assert response.headers[HEADER] in response.text


async def test_of_several_choices_the_first(tmp_path: Path) -> None:
    async with logging(tmp_path) as client:
        response = await client.post(CHAT, json={**MINIMAL, "n": 3})
    assert response.headers[HEADER] == turns(tmp_path)[0]


async def test_a_background_response(tmp_path: Path) -> None:
    async with logging(tmp_path) as client:
        response = await client.post("/v1/responses", json={**RESPONSE, "background": True})
        assert response.json()["id"] == f"resp_{response.headers[HEADER]}"


@pytest.mark.parametrize("name", ["chat", "responses"])
async def test_a_request_that_is_sent_twice(tmp_path: Path, name: str) -> None:
    path, body = REQUESTS[name]
    async with logging(tmp_path) as client:
        responses = [await client.post(path, json=body, headers={"idempotency-key": "k"}) for _ in range(2)]
    assert [response.headers[HEADER] for response in responses] == turns(tmp_path) * 2


async def test_a_turn_that_failed(tmp_path: Path) -> None:
    async with logging(tmp_path, Greeting(EngineUnreachable("Down."))) as client:
        response = await client.post(CHAT, json=MINIMAL)
    assert (response.status_code, [response.headers[HEADER]]) == (503, turns(tmp_path))


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        pytest.param({}, {"x-llm-log": "off"}, id="not logged"),
        pytest.param({"messages": "Hi"}, {}, id="refused"),
        pytest.param({"model": "nix"}, {}, id="unknown model"),
    ],
)
async def test_without_a_turn(tmp_path: Path, fields: dict[str, Any], headers: dict[str, str]) -> None:
    async with logging(tmp_path) as client:
        response = await client.post(CHAT, json={**MINIMAL, **fields}, headers=headers)
    assert HEADER not in response.headers


async def test_pages_of_other_origins_can_read_it(tmp_path: Path) -> None:
    origin = "https://app.example"
    async with logging(tmp_path, cors_origins=(origin,)) as client:
        response = await client.post(CHAT, json=MINIMAL, headers={"origin": origin})
    assert HEADER in response.headers["access-control-expose-headers"].split(", ")


async def test_a_forwarded_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"role": "assistant", "content": "Hello"}
    with Scripted(answer({"model": "m", "message": message, "done": True})) as ollama:
        monkeypatch.setenv("OLLAMA_HOST", ollama.host)
        async with logging(tmp_path) as client:
            response = await client.post("/api/chat", json={**MINIMAL, "stream": False})
    assert [response.headers[HEADER]] == turns(tmp_path)
