"""Any history, sent in any of the accepted shapes: it comes back the same from `input_items`, and the model
gets one prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.items.encrypted_content import to_encrypted_content

Item = dict[str, Any]

HELLO = "<|channel|>final<|message|>Hello"
TEXT = st.text(min_size=1, max_size=5) | st.sampled_from(["Hi", " é ", "日本\n\n", "<|end|>", "\x00", "  "])
ID = st.sampled_from(["msg_1", "rs_0a", f"fc_{'0' * 26}_0"])
NAME = st.sampled_from([{"name": "look"}, {"name": "find", "namespace": "crm.eu"}])
ARGUMENTS = st.sampled_from(["{}", '{"a":1}', '{"a": [1.0, "é"] }', '{"b":{"c":null}}'])
TOOLS = [
    {"type": "function", "name": "look", "parameters": {}},
    {"type": "namespace", "name": "crm.eu", "tools": [{"type": "function", "name": "find"}]},
    {"type": "custom", "name": "patch"},
]


# Histories, item by item, as `input_items` has them; less their ids.


def message(role: str, *texts: str) -> Item:
    content = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "message", "status": "completed", "role": role, "content": content}


def messages(text: str, phase: str = "final_answer") -> Item:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    item = {"type": "message", "status": "completed", "role": "assistant", "content": content}
    return {**item, "phase": phase}


def thought(text: str) -> Item:
    content = [{"type": "reasoning_text", "text": text}]
    return {"type": "reasoning", "status": "completed", "summary": [], "content": content}


def call(number: int, name: Item, arguments: str) -> list[Item]:
    call_id = f"call_{number}"
    made = {"type": "function_call", "call_id": call_id, **name, "arguments": arguments}
    came = {"type": "function_call_output", "call_id": call_id, "output": "It is blue."}
    return [{**made, "status": "completed"}, {**came, "status": "completed"}]


def patch(number: int, text: str) -> list[Item]:
    call_id = f"call_custom_{number}"
    made = {"type": "custom_tool_call", "call_id": call_id, "name": "patch", "input": text}
    came = {"type": "custom_tool_call_output", "call_id": call_id, "output": text}
    return [{**made, "status": "completed"}, {**came, "status": "completed"}]


@st.composite
def answers(draw: DrawFn, numbers: Iterator[int]) -> list[Item]:
    "What a model may come to in one turn, with what its tools answered."
    items: list[Item] = []
    if draw(st.booleans()):
        items.append(thought(draw(TEXT)))
    if draw(st.booleans()):
        items.append(messages(draw(TEXT), "commentary"))
    kinds = draw(st.lists(st.sampled_from([call, patch]), max_size=2))
    pairs = [
        call(next(numbers), draw(NAME), draw(ARGUMENTS)) if kind is call else patch(next(numbers), draw(TEXT))
        for kind in kinds
    ]
    items += [made for made, _ in pairs] + [came for _, came in pairs]
    return items if pairs else [*items, messages(draw(TEXT))]


@st.composite
def histories(draw: DrawFn) -> list[Item]:
    numbers = count(1)
    roles = st.sampled_from(["user", "system", "developer"])
    items = [message("developer", "Be brief."), message(draw(roles), draw(TEXT))]
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            items += draw(answers(numbers))
        else:
            items.append(message(draw(roles), *draw(st.lists(TEXT, min_size=1, max_size=2))))
    return [*items, message("user", draw(TEXT))]


# The shapes in which they may be sent.


def shapes(item: Item) -> Iterator[Item]:
    match item:
        case {"type": "message", "role": "assistant", "content": [{"text": text}], "phase": phase}:
            marked = {"role": "assistant", "phase": phase}
            yield {**marked, "content": text}
            yield {**marked, "type": "message", "content": [{"type": "output_text", "text": text}]}
            if phase == "final_answer":
                yield {"role": "assistant", "content": text}
                yield {"role": "assistant", "content": [{"type": "refusal", "refusal": text}]}
        case {"type": "message", "role": role, "content": content}:
            yield {"role": role, "content": content}
            yield {"type": "message", "role": role, "content": [{**part, "type": "text"} for part in content]}
            if len(content) == 1:
                yield {"role": role, "content": content[0]["text"]}
        case {"type": "reasoning", "content": [{"text": text}]}:
            received = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
            yield received
            yield {**received, "content": []}
            yield {**received, "content": None, "id": None, "encrypted_content": None}
            yield {"type": "reasoning", "summary": [], "encrypted_content": to_encrypted_content(text)}
            yield {
                "type": "reasoning",
                "content": item["content"],
                "encrypted_content": to_encrypted_content(text),
            }
            yield {"type": "reasoning", "content": [{"type": "text", "text": text}]}
        case {"output": output}:
            yield {key: value for key, value in item.items() if key != "status"}
            yield {**item, "output": [{"type": "input_text", "text": output}]}
        case _:
            yield {key: value for key, value in item.items() if key != "status"}
            yield {**item, "status": "in_progress"}


@st.composite
def sent(draw: DrawFn, history: list[Item]) -> list[Item]:
    items = [draw(st.sampled_from([item, *shapes(item)])) for item in history]
    return [{**item, "id": draw(ID)} if draw(st.booleans()) and "type" in item else item for item in items]


@st.composite
def cases(draw: DrawFn) -> tuple[list[Item], list[Item], int]:
    "A history, as it may be sent, and where in it an answer may have stood that was no part of another."
    history = draw(histories())
    says = ["answer" if item.get("role", "assistant") == "assistant" else "else" for item in history]
    places = [n for n in range(1, len(says)) if says[n - 1 : n + 1] == ["else", "else"]]
    return history, draw(sent(history)), draw(st.sampled_from(places))


class Asked:
    "One app for all."

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = AsyncScriptedEngine(*[HELLO] * 10_000)
        self._context = proxied(self.engine)
        self.proxy = self.loop.run_until_complete(self._context.__aenter__())

    def prompt(self, input: list[Item], **fields: Any) -> tuple[str, list[Item]]:
        "What the model gets, and what `input_items` has of it."
        _, prompt, items = self.respond(input, **fields)
        return prompt, items

    def respond(self, input: list[Item], **fields: Any) -> tuple[Item, str, list[Item]]:
        return self.loop.run_until_complete(self._respond(input, fields))

    async def _respond(self, input: list[Item], fields: Item) -> tuple[Item, str, list[Item]]:
        body = {"model": "gpt-oss", "input": input, "tools": TOOLS, **fields}
        answer = await self.proxy.post("/v1/responses", body)
        assert answer.status_code == 200, answer.text
        at = f"/v1/responses/{answer.json()['id']}/input_items"
        listed = (await self.proxy.get(at, params={"order": "asc", "limit": "100"})).json()
        return answer.json(), self.engine.asked[-1].prompt, listed["data"]

    def close(self) -> None:
        self.loop.run_until_complete(self._context.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")  # part of every prompt
    asked = Asked()
    yield asked
    asked.close()


def without_ids(items: list[Item]) -> list[Item]:
    return [{key: value for key, value in item.items() if key != "id"} for item in items]


one_app_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


@one_app_for_all
@given(cases())
def test_a_history_in_any_shape(asked: Asked, case: tuple[list[Item], list[Item], int]) -> None:
    history, shaped, _ = case
    expected, items = asked.prompt(history)
    assert without_ids(items) == history
    # In other shapes, as it was given back, and named by its ids.
    assert asked.prompt(shaped) == (expected, items)
    assert asked.prompt(items) == (expected, items)
    references = [{"type": "item_reference", "id": item["id"]} for item in items]
    assert asked.prompt(references) == (expected, items)


@one_app_for_all
@given(cases())
def test_a_history_with_an_answer_in_it(asked: Asked, case: tuple[list[Item], list[Item], int]) -> None:
    "Sent whole, or behind the response that it goes on from."
    history, shaped, at = case
    first, _, _ = asked.respond(shaped[:at])
    expected, items = asked.prompt([*history[:at], *first["output"], *history[at:]])
    assert without_ids(items) == [*history[:at], *without_ids(first["output"]), *history[at:]]
    assert asked.prompt(shaped[at:], previous_response_id=first["id"]) == (expected, items)
