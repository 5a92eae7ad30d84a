"What a client and the log learn about fields that the server ignored."

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from support.anything import JSON
from support.fuzzed_app import FuzzedApp, check_error, one_app_for_all
from support.proxied_engine import HELLO, Proxied, proxied
from support.requests import CHAT, MINIMAL, Greeting, asking
from support.scripted_engine import AsyncScriptedEngine

from proxy.app import create_app
from proxy.settings import Settings

HEADER = "x-llm-ignored"
TOOL = {"type": "function", "function": {"name": "add", "colour": 1}}


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"colour": 1, "tools": [TOOL]}, "colour, tools[0].function.colour", id="two"),
        pytest.param({"a, b": 1, "é\r\n": 2}, "a__b, ___", id="unsafe characters"),
        pytest.param({"options": {"num_gpu": 1, "temperature": 0}, "think": False}, None, id="known"),
        pytest.param({"tool_choice": "required"}, "tool_choice", id="a choice without tools"),
        pytest.param(
            {"tools": [TOOL], "functions": [{"name": "less"}]},
            "tools[0].function.colour, functions",
            id="functions beside tools",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_header(fields: dict[str, Any], header: str | None, stream: bool) -> None:
    async with asking() as client:
        answer = await client.post(CHAT, json={**MINIMAL, **fields, "stream": stream})
    assert (answer.status_code, answer.headers.get(HEADER)) == (200, header)


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        pytest.param({"num_ctx": 8192}, "num_ctx", id="by name"),
        pytest.param({"options": {"num_ctx": 8192}}, "options.num_ctx", id="as in Ollama"),
        pytest.param({"num_ctx": 4096.0}, None, id="the same"),
    ],
)
async def test_a_client_cannot_have_the_model_loaded_again(
    fields: dict[str, Any], header: str | None
) -> None:
    engine = AsyncScriptedEngine(HELLO, HELLO)
    async with proxied(engine, num_ctx=4096) as proxy:
        answer = await proxy.chat(user="Hi", **fields)
    async with proxied(engine, num_ctx=4096, allow_load_options=True) as proxy:
        allowed = await proxy.chat(user="Hi", **fields)
    assert (answer.headers.get(HEADER), allowed.headers.get(HEADER)) == (header, None)
    assert [asked.context_length for asked in engine.asked] == [4096, 8192 if header else 4096]


async def test_many_fields() -> None:
    async with asking() as client:
        answer = await client.post(CHAT, json={**MINIMAL, **{f"x{n}" * 100: n for n in range(1000)}})
    assert answer.headers[HEADER].endswith(", ...")
    assert len(answer.headers[HEADER]) < 3000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, MINIMAL),
        ("/v1/responses", {"model": "gpt-oss", "input": "Hi"}),
        ("/v1/completions", {"model": "gpt-oss", "prompt": "Hi"}),
        ("/v1/responses/compact", {"model": "gpt-oss", "input": "Hi"}),
        ("/v1/conversations", {}),
    ],
)
async def test_every_endpoint(path: str, body: dict[str, Any]) -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        answer = await proxy.post(path, {**body, "colour": 1})
        assert (answer.status_code, answer.headers[HEADER]) == (200, "colour")
        if path != "/v1/conversations":
            assert ignored(proxy) == [["colour"]]
    async with asking(strict=True) as client:
        refused = await client.post(path, json={**body, "colour": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_parameter")


def ignored(proxy: Proxied) -> list[Any]:
    return [turn["ignored"] and json.loads(turn["ignored"]) for turn in proxy.turns()]


async def test_the_log() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        await proxy.chat(user="Hi", colour={"é": 1}, think=False)
        await proxy.chat(user="Ho")
        assert ignored(proxy) == [["colour"], None]
        request = json.loads(proxy.turns()[0]["request"])
    # The body has OpenAI's names.
    assert (request["colour"], request["reasoning"]) == ({"é": 1}, {"effort": "none"})
    assert "think" not in request


async def test_the_log_of_a_translated_history() -> None:
    "Requests that continue a conversation are stored without what the log has already."
    items: list[Any] = [{"role": "user", "content": "Hi"}]
    more = [*items, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Ho"}]
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        for each in (items, more):
            answer = await proxy.post(CHAT, {"model": "gpt-oss", "input": each, "messages": None})
            assert answer.status_code == 200
        first, second = (json.loads(turn["request"]) for turn in proxy.turns())
    assert (first["messages"], second["messages"]) == (items, more[-1:])


async def test_a_null_field_that_is_named_like_the_list() -> None:
    messages: list[Any] = [{"role": "user", "content": "Hi"}]
    more = [*messages, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Ho"}]
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        for each in (messages, more):
            assert (await proxy.chat(*each, input=None)).status_code == 200
        assert [len(json.loads(turn["request"])["messages"]) for turn in proxy.turns()] == [1, 1]


def test_websocket(tmp_path: Any) -> None:
    app = create_app(Settings(host="testserver", database=tmp_path / "logs.db"), engine=Greeting())
    with TestClient(app) as client, client.websocket_connect("/v1/responses") as socket:
        socket.send_json(
            {"type": "response.create", "model": "gpt-oss", "max_tokens": 7, "messages": [], "input": "Hi"}
        )
        assert socket.receive_json()["response"]["max_output_tokens"] == 7


def test_strict_websocket() -> None:
    app = create_app(Settings(host="testserver", log_policy="off", strict=True), engine=Greeting())
    with TestClient(app) as client, client.websocket_connect("/v1/responses") as socket:
        socket.send_json({"type": "response.create", "model": "gpt-oss", "input": "Hi", "colour": 1})
        assert socket.receive_json()["error"]["param"] == "colour"


class ChatApps(FuzzedApp):
    "An app without a log; `strict` refuses unknown fields."

    def __init__(self, *, strict: bool) -> None:
        super().__init__(asking(strict=strict))

    def post(self, fields: dict[str, Any]) -> Any:
        return self.run(self.opened.post(CHAT, content=json.dumps({**MINIMAL, **fields}).encode()))


@pytest.fixture(scope="module")
def apps() -> Iterator[tuple[ChatApps, ChatApps]]:
    both = ChatApps(strict=False), ChatApps(strict=True)
    yield both
    for app in both:
        app.close()


OBJECTS: SearchStrategy[Any] = st.dictionaries(
    st.text(max_size=8), JSON.filter(lambda value: "Infinity" not in json.dumps(value)), max_size=4
)


@one_app_for_all
@given(st.text(max_size=8).map(lambda name: f"x-{name}"), OBJECTS)
def test_any_unknown_object(apps: tuple[ChatApps, ChatApps], name: str, value: Any) -> None:
    lenient, strict = (app.post({name: value}) for app in apps)
    assert lenient.status_code == 200
    assert lenient.headers[HEADER].startswith("x-")
    assert strict.status_code == 400
    check_error(strict)
    assert strict.json()["error"]["param"] == name
