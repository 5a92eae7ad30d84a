"What the SDK does not see of a stream."

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from support.anthropic_sdk import check_events
from support.requests import asking
from support.scripted_engine import HeldEngine

from proxy.app import create_app
from proxy.settings import Settings

BODY = {"model": "gpt-oss", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


async def test_frames() -> None:
    async with asking() as client:
        answer = await client.post("/v1/messages", json=BODY)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event_of(frame) for frame in answer.text.removesuffix("\n\n").split("\n\n")]
    check_events(events)
    assert events[-1] == {"type": "message_stop"}


def event_of(frame: str) -> dict[str, Any]:
    "Return the event of a frame, whose name is the event's type."
    name, data = frame.split("\n")
    event: dict[str, Any] = json.loads(data.removeprefix("data: "))
    assert name == f"event: {event['type']}"
    return event


async def test_what_is_ignored_is_named() -> None:
    tools = [{"type": "bash_20250124", "name": "bash"}, {"name": "now", "input_schema": {}}]
    body = {**BODY, "colour": 1, "speed": "fast", "tools": tools}
    async with asking() as client:
        answer = await client.post("/v1/messages", json=body)
    assert (answer.status_code, answer.headers["x-llm-ignored"]) == (200, "colour, tools[0]")


async def test_unknown_fields_are_refused_if_the_server_is_strict() -> None:
    async with asking(strict=True) as client:
        answer = await client.post("/v1/messages", json={**BODY, "colour": 1})
    assert answer.json()["error"] == {
        "type": "invalid_request_error",
        "message": "Unknown parameter: 'colour'.",
    }


async def test_a_silent_stream_is_pinged() -> None:
    engine = HeldEngine()
    app = create_app(Settings(log_policy="off", keep_alive=0.001), engine=engine)
    pings = 0

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watched_send(message: Any) -> None:
            nonlocal pings
            pings += message.get("body") == PING
            if pings == 2:
                engine.go.set()
            await send(message)

        await app(scope, receive, watched_send)

    transport = httpx.ASGITransport(watched)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await asyncio.wait_for(client.post("/v1/messages", json=BODY), 60)
    assert answer.content.startswith(PING + PING)
