"""Reasoning survives every client: the model gets the same prompt whatever a client sends back.

The model reasons, announces a tool call and makes it, twice. Then it answers, and the user replies.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine

Item = dict[str, Any]

# No serializer writes arguments in this form.
CALL = (
    "<|channel|>analysis<|message|>I need the {where}.<|end|><|start|>assistant"
    "<|channel|>commentary<|message|>I look at the {where}.<|end|><|start|>assistant"
    '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{{"at":"{where}" ,"n": 1.0}}<|call|>'
)
ANSWER = (
    "<|channel|>analysis<|message|>Both are blue.<|end|><|start|>assistant<|channel|>final<|message|>Blue."
)
SCRIPT = (CALL.format(where="sky"), CALL.format(where="sea"), ANSWER, ANSWER)
PARAMETERS = {"type": "object", "properties": {"at": {"type": "string"}, "n": {"type": "number"}}}
LOOK: Item = {"type": "function", "name": "look", "description": "Look at it", "parameters": PARAMETERS}
CHAT_LOOK = {"type": "function", "function": {key: LOOK[key] for key in LOOK if key != "type"}}
FIRST, NEXT = "What is blue?", "And green?"


class Client:
    "`ask` and `answer_call` send the next request and return the id of the call in its answer."

    def __init__(self, proxy: Proxied) -> None:
        self.proxy = proxy

    async def ask(self, text: str) -> str | None:
        return await self.send([{"role": "user", "content": text}])

    async def answer_call(self, call_id: str, output: str) -> str | None:
        return await self.send([{"type": "function_call_output", "call_id": call_id, "output": output}])

    async def send(self, items: list[Item]) -> str | None:
        raise NotImplementedError

    async def respond(self, input: list[Item], **fields: Any) -> Item:
        body = {"model": "gpt-oss", "input": input, "tools": [LOOK], **fields}
        answer = await self.proxy.post("/v1/responses", body)
        assert answer.status_code == 200, answer.text
        response: Item = answer.json()
        return response

    @staticmethod
    def called(response: Item) -> str | None:
        return next((each["call_id"] for each in response["output"] if each["type"] == "function_call"), None)


class Stateless(Client):
    "Sends all items with each request, those of the model in the form that `as_sent` returns."

    as_sent: Callable[[Item], Item | None]
    fields: ClassVar[Item] = {}

    def __init__(self, proxy: Proxied) -> None:
        super().__init__(proxy)
        self.history: list[Item] = []

    async def send(self, items: list[Item]) -> str | None:
        self.history += items
        response = await self.respond(self.history, **type(self).fields)
        self.history += [sent for item in response["output"] if (sent := type(self).as_sent(item))]
        return self.called(response)


def sending_items(as_sent: Callable[[Item], Item | None], **fields: Any) -> type[Stateless]:
    return type("Sends", (Stateless,), {"as_sent": staticmethod(as_sent), "fields": fields})


class Previous(Client):
    last: str | None = None

    async def send(self, items: list[Item]) -> str | None:
        response = await self.respond(items, previous_response_id=self.last)
        self.last = response["id"]
        return self.called(response)


class Thread(Client):
    "Continues the thread that its first request created."

    id: str | None = None

    async def send(self, items: list[Item]) -> str | None:
        response = await self.respond(items, conversation=self.id)
        ((thread_id,),) = self.proxy.rows("select id from threads")
        self.id = f"conv_{thread_id}"
        return self.called(response)


class Conversation(Client):
    id: str | None = None

    async def send(self, items: list[Item]) -> str | None:
        self.id = self.id or (await self.proxy.post("/v1/conversations", {})).json()["id"]
        return self.called(await self.respond(items, conversation=self.id))


class Chat(Client):
    "Sends all messages with each request, those of the model in the form that `as_sent` returns."

    as_sent: Callable[[Item], Item]

    def __init__(self, proxy: Proxied) -> None:
        super().__init__(proxy)
        self.history: list[Item] = []

    async def answer_call(self, call_id: str, output: str) -> str | None:
        return await self.send([{"role": "tool", "tool_call_id": call_id, "content": output}])

    async def send(self, items: list[Item]) -> str | None:
        self.history += items
        answer = await self.proxy.chat(*self.history, tools=[CHAT_LOOK])
        assert answer.status_code == 200, answer.text
        message = answer.json()["choices"][0]["message"]
        self.history.append(type(self).as_sent(message))
        return next((call["id"] for call in message.get("tool_calls", ())), None)


def sending_messages(as_sent: Callable[[Item], Item]) -> type[Chat]:
    return type("Chats", (Chat,), {"as_sent": staticmethod(as_sent)})


# The forms in which clients send back what they received.


def unchanged(item: Item) -> Item:
    return item


def required_fields(item: Item) -> Item:
    "Only what the SDK's types require."
    fields_of_type = {
        "reasoning": ("type", "id", "summary", "content"),
        "message": ("type", "id", "role", "content", "status"),
        "function_call": ("type", "call_id", "name", "arguments"),
    }
    return {key: item[key] for key in fields_of_type[item["type"]]}


def without(*keys: str) -> Callable[[Item], Item]:
    return lambda item: {key: value for key, value in item.items() if key not in keys}


def reasoning(*keys: str) -> Callable[[Item], Item]:
    "Only these keys of reasoning items, and other items as they are."
    return lambda item: (
        {key: item[key] for key in ("type", *keys)} if item["type"] == "reasoning" else unchanged(item)
    )


def bare_reasoning(item: Item) -> Item:
    "As llm 0.36 sends it."
    return {"type": "reasoning", "id": item["id"], "summary": []} if item["type"] == "reasoning" else item


def reference(item: Item) -> Item:
    return {"type": "item_reference", "id": item["id"]}


def reasoning_reference(item: Item) -> Item:
    return reference(item) if item["type"] == "reasoning" else required_fields(item)


def only_calls(item: Item) -> Item | None:
    "Only messages, and calls with their arguments serialized again."
    if item["type"] != "function_call":
        return item if item["type"] == "message" else None
    return {**required_fields(item), "arguments": json.dumps(json.loads(item["arguments"]))}


def without_reasoning(message: Item) -> Item:
    return {key: message[key] for key in ("role", "content", "tool_calls") if key in message}


def null_beside_calls(message: Item) -> Item:
    return {**without_reasoning(message), **({"content": None} if "tool_calls" in message else {})}


def without_preambles(item: Item) -> Item | None:
    return None if item.get("phase") == "commentary" else only_calls(item)


def reserialized(message: Item) -> Item:
    "With the arguments as another serializer writes them, and an additional null."
    calls = [
        {
            **call,
            "function": {
                **call["function"],
                "arguments": json.dumps(json.loads(call["function"]["arguments"])),
            },
        }
        for call in message.get("tool_calls", ())
    ]
    return {**without_reasoning(message), **({"tool_calls": calls} if calls else {}), "name": None}


def as_reasoning_content(message: Item) -> Item:
    return {**without_reasoning(message), "reasoning_content": message["reasoning"]}


SEALED = {"include": ["reasoning.encrypted_content"]}
SUMMARY = sending_items(reasoning("summary"))
# These send everything back themselves and need no log.
ALONE: dict[str, type[Client]] = {
    "items": sending_items(unchanged),
    "items without ids": sending_items(without("id", "status")),
    "encrypted content": sending_items(reasoning("summary", "encrypted_content"), **SEALED),
    "encrypted content, not stored": sending_items(
        reasoning("summary", "encrypted_content"), store=False, **SEALED
    ),
}
WITH_LOG: dict[str, type[Client]] = {
    "required fields of items": sending_items(required_fields),
    "items, not stored": sending_items(unchanged, store=False),
    "bare reasoning": sending_items(bare_reasoning),
    "bare reasoning, not stored": sending_items(bare_reasoning, store=False),
    "references": sending_items(reference),
    "references to reasoning": sending_items(reasoning_reference),
    "calls alone": sending_items(only_calls),
    "calls without the text before them": sending_items(without_preambles),
    "calls alone, not stored": sending_items(only_calls, store=False),
    "previous_response_id": Previous,
    "conversation": Conversation,
    "conversation that was a thread": Thread,
    "chat: both fields": sending_messages(unchanged),
    "chat: reasoning": sending_messages(without("reasoning_content")),
    "chat: reasoning_content": sending_messages(as_reasoning_content),
    "chat: nothing": sending_messages(without_reasoning),
    "chat: null beside calls": sending_messages(null_beside_calls),
    "chat: nothing, arguments serialized again": sending_messages(reserialized),
}


async def run_conversation(client: Client) -> None:
    sky = await client.ask(FIRST)
    assert sky
    sea = await client.answer_call(sky, "The sky is blue.")
    assert sea
    assert await client.answer_call(sea, "The sea is blue.") is None
    await client.ask(NEXT)


async def prompts(client_class: type[Client], path: Path, **settings: Any) -> list[str]:
    "The prompts that the model gets from one client, which has a log of its own."
    engine = AsyncScriptedEngine(*SCRIPT)
    async with proxied(engine, database=path / "log.db", **settings) as proxy:
        await run_conversation(client_class(proxy))
    return [completion.prompt for completion in engine.asked]


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")  # part of every prompt


RESULT = (
    "<|start|>functions.look to=assistant<|channel|>commentary<|message|>The {where} is blue.<|end|>"
    "<|start|>assistant"
)


@pytest.fixture
async def expected(tmp_path: Path) -> list[str]:
    "Each prompt continues the one before. The last one lacks the reasoning, since the user has replied."
    first, second, third, last = all_prompts = await prompts(sending_items(unchanged), tmp_path / "other")
    sky, sea = (CALL.format(where=where) + RESULT.format(where=where) for where in ("sky", "sea"))
    assert second == first + sky
    assert third == second + sea
    reasoning_messages = re.compile(r"<\|channel\|>analysis<\|message\|>.*?<\|end\|><\|start\|>assistant")
    kept_text = reasoning_messages.sub("", sky + sea + ANSWER)
    assert last == f"{first}{kept_text}<|end|><|start|>user<|message|>{NEXT}<|end|><|start|>assistant"
    return all_prompts


def each_client(clients: dict[str, type[Client]]) -> Any:
    return pytest.mark.parametrize(
        "client_class", [pytest.param(client_class, id=name) for name, client_class in clients.items()]
    )


@each_client({**ALONE, **WITH_LOG})
async def test_one_prompt(client_class: type[Client], expected: list[str], tmp_path: Path) -> None:
    assert await prompts(client_class, tmp_path) == expected


@each_client(ALONE)
async def test_without_the_log(client_class: type[Client], expected: list[str], tmp_path: Path) -> None:
    assert await prompts(client_class, tmp_path, log_policy="off") == expected


@pytest.mark.parametrize("shown", ["summary", "both"])
@pytest.mark.parametrize("policy", ["all", "off"])
async def test_a_summary_is_restored_to_the_whole_reasoning(
    shown: str, policy: str, expected: list[str], tmp_path: Path
) -> None:
    "For clients that read only summaries: the server sends all reasoning as one."
    assert await prompts(SUMMARY, tmp_path, reasoning=shown, log_policy=policy) == expected


# Clients that switch between forms. Each has the conversation as items and as messages.

CHATS: dict[str, Callable[[Item], Item]] = {
    "all": unchanged,
    "renamed": as_reasoning_content,
    "nothing": without_reasoning,
}
ITEMS: dict[str, Callable[[Item], Item | None]] = {
    "items": unchanged,
    "needed": required_fields,
    "without ids": without("id", "status"),
    "bare": bare_reasoning,
    "references": reference,
    "references to reasoning": reasoning_reference,
    "calls": only_calls,
}


class Switching(Client):
    """Sends each request in the next of `forms`: a name of CHATS or ITEMS, or `previous`, which refers to the
    response before it.
    """

    def __init__(self, proxy: Proxied, forms: list[str]) -> None:
        super().__init__(proxy)
        self._forms = iter(forms)
        self._history: list[tuple[list[Item], list[Item]]] = []
        self._last = ""

    async def send(self, items: list[Item]) -> str | None:
        form = next(self._forms)
        self._history.append((items, [_as_message(item) for item in items]))
        if form in CHATS:
            return await self._chat(CHATS[form])
        if form in ITEMS:
            sent = [
                as_sent
                for items, _ in self._history
                for item in items
                if (as_sent := _sent_back(ITEMS[form], item))
            ]
            return self._received(await self.respond(sent))
        return self._received(await self.respond(items, previous_response_id=self._last or None))

    async def _chat(self, as_sent: Callable[[Item], Item]) -> str | None:
        sent = [_sent_back(as_sent, message) for _, messages in self._history for message in messages]
        answer = await self.proxy.chat(*filter(None, sent), tools=[CHAT_LOOK])
        turn_id = answer.json()["id"].removeprefix("chatcmpl-")
        return self._received((await self.proxy.get(f"/v1/responses/{turn_id}")).json())

    def _received(self, response: Item) -> str | None:
        self._last = response["id"]
        self._history.append((response["output"], [_answer(response["output"])]))
        return self.called(response)


def _sent_back(as_sent: Callable[[Item], Item | None], item: Item) -> Item | None:
    "What a client sends back: its own items as they are, and those that it received in its form."
    received = item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call")
    return as_sent(item) if received else item


def _as_message(item: Item) -> Item:
    if "output" in item:
        return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    return item


def _answer(output: list[Item]) -> Item:
    "The output as a message of the chat API."
    by_type: dict[str, list[Item]] = {"reasoning": [], "message": [], "function_call": []}
    for item in output:
        by_type[item["type"]].append(item)
    calls = [
        {
            "id": item["call_id"],
            "type": "function",
            "function": {key: item[key] for key in ("name", "arguments")},
        }
        for item in by_type["function_call"]
    ]
    return {
        "role": "assistant",
        "content": "\n\n".join(item["content"][0]["text"] for item in by_type["message"]) or None,
        "reasoning": "".join(item["content"][0]["text"] for item in by_type["reasoning"]),
        **({"tool_calls": calls} if calls else {}),
    }


async def switching_prompts(forms: list[str], path: Path) -> list[str]:
    engine = AsyncScriptedEngine(*SCRIPT)
    async with proxied(engine, database=path / "logs.db") as proxy:
        await run_conversation(Switching(proxy, forms))
    return [completion.prompt for completion in engine.asked]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*CHATS, *ITEMS, "previous"]), min_size=4, max_size=4))
def test_a_client_that_switches_between_apis(
    tmp_path_factory: pytest.TempPathFactory, items_prompts: list[str], forms: list[str]
) -> None:
    assert asyncio.run(switching_prompts(forms, tmp_path_factory.mktemp("log"))) == items_prompts


@pytest.fixture
def items_prompts(tmp_path: Path) -> list[str]:
    return asyncio.run(switching_prompts(["items"] * 4, tmp_path))
