from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from openai.types.responses import Response
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect, WebSocketState
from support.proxied_engine import counting_ids
from support.scripted_engine import AsyncScriptedEngine, HeldEngine

from llm_gpt_oss.errors import EngineError
from proxy.api.responses.websocket import MAX_WAITING, ResponsesSession
from proxy.app import create_app
from proxy.http.body_budget import MAX_HELD, BodyBudget, HeldBody
from proxy.key_hash import hash_key
from proxy.settings import Settings

HELLO = "<|channel|>final<|message|>Hello"
WORLD = "<|channel|>final<|message|>World"


@contextmanager
def connected(
    engine: Any, subprotocols: Sequence[str] | None = None, **settings: Any
) -> Iterator[WebSocketTestSession]:
    app = create_app(Settings(**settings), engine=engine, new_id=counting_ids())
    with (
        TestClient(app, base_url="http://localhost") as client,
        client.websocket_connect("ws://localhost/v1/responses", subprotocols=subprotocols) as socket,
    ):
        yield socket


def events_of(socket: WebSocketTestSession, input: Any = "Hi", **fields: Any) -> list[dict[str, Any]]:
    "Send a request, and return the events of its response, or its error."
    socket.send_text(json.dumps({"type": "response.create", "model": "gpt-oss", "input": input, **fields}))
    received = [json.loads(socket.receive_text())]
    while received[-1]["type"] not in (
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ):
        received.append(json.loads(socket.receive_text()))
    return received


def test_several_responses() -> None:
    engine = AsyncScriptedEngine(HELLO, WORLD)
    with connected(engine) as socket:
        first = events_of(socket)
        assert [event["sequence_number"] for event in first] == list(range(len(first)))
        Response.model_validate(first[-1]["response"])
        second = events_of(socket, "More", previous_response_id=first[-1]["response"]["id"])
        assert second[-1]["response"]["output"][0]["content"][0]["text"] == "World"
        assert "Hello" in engine.asked[1].prompt


@pytest.mark.parametrize("policy", ["all", "off"])
def test_an_unstored_response_can_be_continued_over_the_same_connection(policy: str) -> None:
    engine = AsyncScriptedEngine(HELLO, WORLD)
    with connected(engine, log_policy=policy) as socket:
        first = events_of(socket, store=False)
        second = events_of(socket, "More", store=False, previous_response_id=first[-1]["response"]["id"])
        assert second[-1]["type"] == "response.completed"
        assert "Hello" in engine.asked[1].prompt
        # Only from the last one.
        third = events_of(socket, "More", store=False, previous_response_id=first[-1]["response"]["id"])
        assert (third[-1]["type"], third[-1]["status"]) == ("error", 400)
        assert third[-1]["error"]["code"] == "previous_response_not_found"


def test_a_failed_response_cannot_be_continued() -> None:
    engine = AsyncScriptedEngine(EngineError("It broke."), HELLO)
    with connected(engine) as socket:
        (error,) = events_of(socket, store=False)
        assert error["error"]["message"] == "It broke."
        assert events_of(socket)[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("text", "param"),
    [
        pytest.param("{", None, id="no JSON"),
        pytest.param('{"type": "response.steer"}', "type", id="another type"),
        pytest.param("[]", "type", id="no object"),
        pytest.param('{"type": "response.create", "input": "Hi"}', "model", id="a missing field"),
        pytest.param(
            '{"type": "response.create", "model": "gpt-oss", "input": "Hi", "background": true}',
            "background",
            id="in the background",
        ),
    ],
)
def test_rejected_messages(text: str, param: str | None) -> None:
    with connected(AsyncScriptedEngine(HELLO)) as socket:
        socket.send_text(text)
        received = json.loads(socket.receive_text())
        assert (received["type"], received["status"], received["error"]["param"]) == ("error", 400, param)
        assert events_of(socket)[-1]["type"] == "response.completed"


def test_binary_messages() -> None:
    with connected(AsyncScriptedEngine(HELLO)) as socket:
        socket.send_bytes(b'{"type": "response.create", "model": "gpt-oss", "input": "Hi"}')
        assert json.loads(socket.receive_text())["type"] == "response.created"


def test_a_disconnect_ends_the_response() -> None:
    engine = HeldEngine("<|channel|>", "final", "<|message|>", "Hel")
    with connected(engine) as socket:
        socket.send_text('{"type": "response.create", "model": "gpt-oss", "input": "Hi"}')
        while json.loads(socket.receive_text())["type"] != "response.output_text.delta":
            pass
    assert engine.open == 0


REQUEST = '{"type": "response.create", "model": "gpt-oss", "input": "Hi"}'


def test_a_disconnect_while_requests_wait_ends_them() -> None:
    engine = HeldEngine()
    with connected(engine, max_concurrency=1) as socket:
        for _ in range(1 + MAX_WAITING):
            socket.send_text(REQUEST)
    assert (engine.open, engine.asked) in ((0, 0), (0, 1))


def test_too_many_requests_that_wait() -> None:
    engine = HeldEngine("<|channel|>", "final", "<|message|>", "Hel")
    with connected(engine) as socket:
        socket.send_text(REQUEST)
        while json.loads(socket.receive_text())["type"] != "response.output_text.delta":
            pass
        for _ in range(MAX_WAITING + 1):
            socket.send_text(REQUEST)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, "More than 8 requests are waiting.")
    assert (engine.open, engine.asked) == (0, 1)


async def test_nothing_is_sent_after_the_connection_was_closed() -> None:
    class ClosedSocket:
        application_state = WebSocketState.DISCONNECTED
        scope: ClassVar[dict[str, Any]] = {"headers": []}

    session = ResponsesSession(ClosedSocket(), None, None)  # type: ignore[arg-type]
    session._received.put_nowait(("", HeldBody(BodyBudget(), None)))
    await session.answer()


def test_a_request_for_which_there_is_no_memory() -> None:
    with connected(AsyncScriptedEngine(HELLO)) as socket:
        socket.app.state.proxy.body_budget.take(MAX_HELD - 10)
        socket.send_text(REQUEST)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1013
    assert closed.value.reason.startswith("The requests that the server holds have 128 MiB already.")


def test_requests_that_were_answered_take_no_memory() -> None:
    with connected(AsyncScriptedEngine(HELLO, HELLO)) as socket:
        budget = socket.app.state.proxy.body_budget
        for _ in range(2):
            budget.take(MAX_HELD - budget.held - 100)
            assert events_of(socket)[-1]["type"] == "response.completed"
            budget.give_back(MAX_HELD - 100)
        assert budget.held == 0


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        pytest.param([], None, id="an empty header"),
        pytest.param(["realtime", "openai-insecure-api-key.sesame"], "realtime", id="as browsers do"),
        pytest.param(["openai-insecure-api-key.sesame", "realtime"], "realtime", id="the key first"),
        pytest.param(["openai-insecure-api-key.sesame"], None, id="a key alone is not repeated"),
    ],
)
def test_subprotocols(offered: list[str], selected: str | None) -> None:
    key_hash = hash_key("sesame") if offered else None
    with connected(AsyncScriptedEngine(HELLO), offered, key_hash=key_hash) as socket:
        assert socket.accepted_subprotocol == selected
        assert events_of(socket)[-1]["type"] == "response.completed"


def test_untrusted_origins_are_rejected() -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, connected(None, key_hash="0" * 64):
        pass
    assert refused.value.status_code == 401
