"""Histories that clients bring from other servers: gpt-oss goes on with them, and the log says what it lacks.

What each part of a message becomes is tested in `items/test_content.py`, `items/test_messages.py` and
`api/chat_completions/test_messages.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter
from support.client_histories import ITEM, MESSAGE
from support.fuzzed_app import FuzzedApp, one_app_for_all
from support.proxied_engine import HELLO, Proxied, proxied
from support.requests import Greeting
from support.scripted_engine import AsyncScriptedEngine

UNSEEN = "[image: this model cannot see it]"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
INPUT_IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
QUESTION = {"role": "user", "content": "And now?"}


def answered(image: dict[str, Any], content_type: str) -> list[dict[str, Any]]:
    "A question about an image that another model has answered."
    asked = {"role": "user", "content": [{"type": content_type, "text": "Who is this?"}, image]}
    return [asked, {"role": "assistant", "content": "A cat."}]


def notes(proxy: Proxied) -> list[list[str]]:
    "The kinds of the notes of each turn."
    outcomes = [json.loads(turn["response_json"])["outcome"] for turn in proxy.turns()]
    return [[note["kind"] for note in outcome["notes"]] for outcome in outcomes]


async def respond(proxy: Proxied, *items: Any, **fields: Any) -> Any:
    return await proxy.post("/v1/responses", {"model": "gpt-oss", "input": items, **fields})


def error_of(answer: Any) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


async def test_an_image_in_a_chat() -> None:
    history = answered(IMAGE, "text")
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        refused = await proxy.chat(history[0])
        assert error_of(refused) == (400, "unsupported_content_type", "messages[0].content[1]")
        assert (await proxy.chat(*history, QUESTION)).status_code == 200
        assert f"Who is this?\n{UNSEEN}<|end|>" in proxy.engine.asked[0].prompt
        # The client sends the image again with its next question.
        reply = {"role": "assistant", "content": "Hello"}
        assert (await proxy.chat(*history, QUESTION, reply, QUESTION)).status_code == 200
        assert proxy.engine.asked[1].prompt.startswith(proxy.engine.asked[0].prompt)
        first, second = proxy.turns()
        assert first["thread_id"] == second["thread_id"]
        assert notes(proxy) == [["attachment_dropped"]] * 2


async def test_an_image_in_a_response() -> None:
    history = answered(INPUT_IMAGE, "input_text")
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        refused = await respond(proxy, QUESTION, history[0])
        assert error_of(refused) == (400, "unsupported_content_type", "input[1].content[1]")
        first = (await respond(proxy, *history, QUESTION)).json()
        await respond(proxy, QUESTION, previous_response_id=first["id"])
        assert f"Who is this?\n{UNSEEN}<|end|>" in proxy.engine.asked[1].prompt
        assert notes(proxy) == [["attachment_dropped"]] * 2
        items = (await proxy.get(f"/v1/responses/{first['id']}/input_items?order=asc")).json()["data"]
        assert [part["text"] for part in items[0]["content"]] == ["Who is this?", UNSEEN]


async def test_an_image_in_a_conversation() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        created = await proxy.post("/v1/conversations", {"items": answered(INPUT_IMAGE, "input_text")[:1]})
        await respond(proxy, QUESTION, conversation=created.json()["id"])
        assert f"Who is this?\n{UNSEEN}<|end|>" in proxy.engine.asked[0].prompt
        assert notes(proxy) == [["attachment_dropped"]]


LOOKED = {"role": "tool", "tool_call_id": "call_1", "content": "It is blue."}
LOOKED_ITEM = {"type": "function_call_output", "call_id": "call_1", "output": "It is blue."}


@pytest.mark.parametrize("api", ["chat", "responses", "conversation"])
async def test_a_result_without_a_call(api: str) -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        if api == "chat":
            answer = await proxy.chat(LOOKED, QUESTION)
        elif api == "responses":
            answer = await respond(proxy, LOOKED_ITEM, QUESTION)
        else:
            created = await proxy.post("/v1/conversations", {"items": [LOOKED_ITEM]})
            answer = await respond(proxy, QUESTION, conversation=created.json()["id"])
        assert answer.status_code == 200
        author = "<|start|>functions.unknown to=assistant<|channel|>commentary"
        assert f"{author}<|message|>It is blue.<|end|>" in proxy.engine.asked[0].prompt
        assert notes(proxy) == [["call_missing"]]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_reasoning_that_another_provider_encrypted(api: str) -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        if api == "chat":
            details = [{"type": "reasoning.encrypted", "data": "gAAAAABo"}]
            thought = {"role": "assistant", "content": "Hi", "reasoning_details": details}
            answer = await proxy.chat(thought, QUESTION)
        else:
            thought = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo"}
            answer = await respond(proxy, QUESTION, thought, {"role": "assistant", "content": "Hi"}, QUESTION)
        assert answer.status_code == 200
        assert notes(proxy) == [["reasoning_dropped"]]


async def test_the_names_of_authors() -> None:
    "Histories that differ in a name alone are two conversations."
    async with proxied(AsyncScriptedEngine(*[HELLO] * 4)) as proxy:
        for name in ("ann", "ben", None):
            await proxy.chat({"role": "user", "content": "Hi", "name": name})
        prompts = [completion.prompt for completion in proxy.engine.asked]
        assert [prompt[prompt.index("<|start|>user") :] for prompt in prompts] == [
            f"<|start|>user{name}<|message|>Hi<|end|><|start|>assistant" for name in (":ann", ":ben", "")
        ]
        reply = {"role": "assistant", "content": "Hello"}
        await proxy.chat({"role": "user", "content": "Hi", "name": "ben"}, reply, QUESTION)
        threads = [turn["thread_id"] for turn in proxy.turns()]
        assert len({*threads}) == 3
        assert threads[1] == threads[3]


# Any history in OpenAI's shapes. A question after an answer has nothing in it that could be refused.

LISTED_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
ANSWER = {"role": "assistant", "content": "Yes."}


@pytest.fixture
def app() -> Iterator[FuzzedApp]:
    app = FuzzedApp(proxied(Greeting()))
    yield app
    app.close()


def check(answer: Any, refusable: bool) -> None:
    if answer.status_code != 200:
        assert refusable, answer.text
        assert error_of(answer)[:2] == (400, "unsupported_content_type")


def check_items(answer: Any) -> None:
    assert answer.status_code == 200, answer.text
    for item in answer.json()["data"]:
        LISTED_ITEM.validate_json(json.dumps(item))


@one_app_for_all
@given(st.lists(MESSAGE, min_size=1, max_size=4))
def test_any_chat(app: FuzzedApp, messages: list[Any]) -> None:
    check(app.run(app.opened.chat(*messages)), refusable=True)
    check(app.run(app.opened.chat(*messages, ANSWER, QUESTION)), refusable=False)


@one_app_for_all
@given(st.lists(ITEM, min_size=1, max_size=4))
def test_any_response(app: FuzzedApp, items: list[Any]) -> None:
    answer = app.run(respond(app.opened, *items, ANSWER, QUESTION))
    check(answer, refusable=False)
    response_id = answer.json()["id"]
    check_items(app.run(app.opened.get(f"/v1/responses/{response_id}/input_items")))
    check(app.run(respond(app.opened, *items, previous_response_id=response_id)), refusable=True)


@one_app_for_all
@given(st.lists(ITEM, max_size=4))
def test_any_conversation(app: FuzzedApp, items: list[Any]) -> None:
    created = app.run(app.opened.post("/v1/conversations", {"items": items}))
    assert created.status_code == 200, created.text
    conversation = created.json()["id"]
    check_items(app.run(app.opened.get(f"/v1/conversations/{conversation}/items")))
    check(app.run(respond(app.opened, QUESTION, conversation=conversation)), refusable=False)
