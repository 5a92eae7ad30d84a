"""Reasoning survives every client: whatever a client sends back of an answer, the model gets one prompt.

The model thinks, says what it is about to do, and calls a tool; twice; then it answers, and is asked again.
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

# With arguments as no serializer writes them.
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
    "`asked` and `answered` are the next requests of a conversation; both give the id of the call that came."

    def __init__(self, proxy: Proxied) -> None:
        self.proxy = proxy

    async def asked(self, text: str) -> str | None:
        return await self.send([{"role": "user", "content": text}])

    async def answered(self, call_id: str, output: str) -> str | None:
        return await self.send([{"type": "function_call_output", "call_id": call_id, "output": output}])

    async def send(self, own: list[Item]) -> str | None:
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
    "Sends all of it every time: of each item that came, what `back` makes of it."

    back: Callable[[Item], Item | None]
    fields: ClassVar[Item] = {}

    def __init__(self, proxy: Proxied) -> None:
        super().__init__(proxy)
        self.history: list[Item] = []

    async def send(self, own: list[Item]) -> str | None:
        self.history += own
        response = await self.respond(self.history, **type(self).fields)
        self.history += [sent for item in response["output"] if (sent := type(self).back(item))]
        return self.called(response)


def sends(back: Callable[[Item], Item | None], **fields: Any) -> type[Stateless]:
    return type("Sends", (Stateless,), {"back": staticmethod(back), "fields": fields})


class Previous(Client):
    last: str | None = None

    async def send(self, own: list[Item]) -> str | None:
        response = await self.respond(own, previous_response_id=self.last)
        self.last = response["id"]
        return self.called(response)


class Thread(Client):
    "Goes on with the thread that its first request made."

    id: str | None = None

    async def send(self, own: list[Item]) -> str | None:
        response = await self.respond(own, conversation=self.id)
        ((thread_id,),) = self.proxy.rows("select id from threads")
        self.id = f"conv_{thread_id}"
        return self.called(response)


class Conversation(Client):
    id: str | None = None

    async def send(self, own: list[Item]) -> str | None:
        self.id = self.id or (await self.proxy.post("/v1/conversations", {})).json()["id"]
        return self.called(await self.respond(own, conversation=self.id))


class Chat(Client):
    "Sends its messages every time: of each that came, what `back` makes of it."

    back: Callable[[Item], Item]

    def __init__(self, proxy: Proxied) -> None:
        super().__init__(proxy)
        self.history: list[Item] = []

    async def answered(self, call_id: str, output: str) -> str | None:
        return await self.send([{"role": "tool", "tool_call_id": call_id, "content": output}])

    async def send(self, own: list[Item]) -> str | None:
        self.history += own
        answer = await self.proxy.chat(*self.history, tools=[CHAT_LOOK])
        assert answer.status_code == 200, answer.text
        message = answer.json()["choices"][0]["message"]
        self.history.append(type(self).back(message))
        return next((call["id"] for call in message.get("tool_calls", ())), None)


def chats(back: Callable[[Item], Item]) -> type[Chat]:
    return type("Chats", (Chat,), {"back": staticmethod(back)})


# What is left of what came.


def whole(item: Item) -> Item:
    return item


def needed(item: Item) -> Item:
    "As the SDK's types ask for, no more."
    wanted = {
        "reasoning": ("type", "id", "summary", "content"),
        "message": ("type", "id", "role", "content", "status"),
        "function_call": ("type", "call_id", "name", "arguments"),
    }
    return {key: item[key] for key in wanted[item["type"]]}


def without(*keys: str) -> Callable[[Item], Item]:
    return lambda item: {key: value for key, value in item.items() if key not in keys}


def reasoning(*keys: str) -> Callable[[Item], Item]:
    "Of reasoning these keys alone, of other items all."
    return lambda item: (
        {key: item[key] for key in ("type", *keys)} if item["type"] == "reasoning" else whole(item)
    )


def bare(item: Item) -> Item:
    "As llm 0.36 sends it."
    return {"type": "reasoning", "id": item["id"], "summary": []} if item["type"] == "reasoning" else item


def reference(item: Item) -> Item:
    return {"type": "item_reference", "id": item["id"]}


def reasoning_reference(item: Item) -> Item:
    return reference(item) if item["type"] == "reasoning" else needed(item)


def calls_alone(item: Item) -> Item | None:
    "With the arguments written anew."
    if item["type"] != "function_call":
        return item if item["type"] == "message" else None
    return {**needed(item), "arguments": json.dumps(json.loads(item["arguments"]))}


def nothing(message: Item) -> Item:
    return {key: message[key] for key in ("role", "content", "tool_calls") if key in message}


def written_anew(message: Item) -> Item:
    "With the arguments as another serializer has them, and a null that was not there."
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
    return {**nothing(message), **({"tool_calls": calls} if calls else {}), "name": None}


def renamed(message: Item) -> Item:
    return {**nothing(message), "reasoning_content": message["reasoning"]}


SEALED = {"include": ["reasoning.encrypted_content"]}
SUMMARY = sends(reasoning("summary"))
# By how they are known; those that say all themselves need no log.
ALONE: dict[str, type[Client]] = {
    "items": sends(whole),
    "items without ids": sends(without("id", "status")),
    "encrypted content": sends(reasoning("summary", "encrypted_content"), **SEALED),
    "encrypted content, not stored": sends(reasoning("summary", "encrypted_content"), store=False, **SEALED),
}
WITH_LOG: dict[str, type[Client]] = {
    "what is needed of items": sends(needed),
    "items, not stored": sends(whole, store=False),
    "bare reasoning": sends(bare),
    "bare reasoning, not stored": sends(bare, store=False),
    "references": sends(reference),
    "references to reasoning": sends(reasoning_reference),
    "calls alone": sends(calls_alone),
    "calls alone, not stored": sends(calls_alone, store=False),
    "previous_response_id": Previous,
    "conversation": Conversation,
    "conversation that was a thread": Thread,
    "chat: reasoning": chats(whole),
    "chat: reasoning_content": chats(renamed),
    "chat: nothing": chats(nothing),
    "chat: nothing, arguments written anew": chats(written_anew),
}


async def loop(client: Client) -> None:
    sky = await client.asked(FIRST)
    assert sky
    sea = await client.answered(sky, "The sky is blue.")
    assert sea
    assert await client.answered(sea, "The sea is blue.") is None
    await client.asked(NEXT)


async def prompts(kind: type[Client], path: Path, **settings: Any) -> list[str]:
    "With a log of its own."
    engine = AsyncScriptedEngine(*SCRIPT)
    async with proxied(engine, database=path / "own.db", **settings) as proxy:
        await loop(kind(proxy))
    return [completion.prompt for completion in engine.asked]


@pytest.fixture(autouse=True)
def one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")  # part of every prompt


RESULT = (
    "<|start|>functions.look to=assistant<|channel|>commentary<|message|>The {where} is blue.<|end|>"
    "<|start|>assistant"
)


@pytest.fixture
async def expected(tmp_path: Path) -> list[str]:
    "Each is the one before, what the model said, and what is new; reasoning goes when the user replies."
    first, second, third, last = asked = await prompts(sends(whole), tmp_path / "other")
    sky, sea = (CALL.format(where=where) + RESULT.format(where=where) for where in ("sky", "sea"))
    assert second == first + sky
    assert third == second + sea
    unthought = re.compile(r"<\|channel\|>analysis<\|message\|>.*?<\|end\|><\|start\|>assistant")
    said = unthought.sub("", sky + sea + ANSWER)
    assert last == f"{first}{said}<|end|><|start|>user<|message|>{NEXT}<|end|><|start|>assistant"
    return asked


def ways(of: dict[str, type[Client]]) -> Any:
    return pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in of.items()])


@ways({**ALONE, **WITH_LOG})
async def test_one_prompt(kind: type[Client], expected: list[str], tmp_path: Path) -> None:
    assert await prompts(kind, tmp_path) == expected


@ways(ALONE)
async def test_without_the_log(kind: type[Client], expected: list[str], tmp_path: Path) -> None:
    assert await prompts(kind, tmp_path, log_policy="off") == expected


@pytest.mark.parametrize("shown", ["summary", "both"])
@pytest.mark.parametrize("policy", ["all", "off"])
async def test_a_summary_is_restored_to_the_whole_reasoning(
    shown: str, policy: str, expected: list[str], tmp_path: Path
) -> None:
    "For clients that read no more than that: the server shows the whole as one."
    assert await prompts(SUMMARY, tmp_path, reasoning=shown, log_policy=policy) == expected


# Clients that change their ways. Each knows the conversation as items and as messages.

CHATS: dict[str, Callable[[Item], Item]] = {"all": whole, "renamed": renamed, "nothing": nothing}
ITEMS: dict[str, Callable[[Item], Item | None]] = {
    "items": whole,
    "needed": needed,
    "without ids": without("id", "status"),
    "bare": bare,
    "references": reference,
    "references to reasoning": reasoning_reference,
    "calls": calls_alone,
}


class Changing(Client):
    """Each request goes as the next of `ways` says: a name of CHATS or ITEMS, or that it names the response
    before it."""

    def __init__(self, proxy: Proxied, ways: list[str]) -> None:
        super().__init__(proxy)
        self._ways = iter(ways)
        self._said: list[tuple[list[Item], list[Item]]] = []
        self._last = ""

    async def send(self, own: list[Item]) -> str | None:
        way = next(self._ways)
        self._said.append((own, [_as_message(item) for item in own]))
        if way in CHATS:
            return await self._chat(CHATS[way])
        if way in ITEMS:
            sent = [back for items, _ in self._said for item in items if (back := _back(ITEMS[way], item))]
            return self._came(await self.respond(sent))
        return self._came(await self.respond(own, previous_response_id=self._last or None))

    async def _chat(self, back: Callable[[Item], Item]) -> str | None:
        sent = [_back(back, message) for _, messages in self._said for message in messages]
        answer = await self.proxy.chat(*filter(None, sent), tools=[CHAT_LOOK])
        turn_id = answer.json()["id"].removeprefix("chatcmpl-")
        return self._came((await self.proxy.get(f"/v1/responses/{turn_id}")).json())

    def _came(self, response: Item) -> str | None:
        self._last = response["id"]
        self._said.append((response["output"], [_answer(response["output"])]))
        return self.called(response)


def _back(back: Callable[[Item], Item | None], item: Item) -> Item | None:
    "What a client makes of what it was given; what it wrote itself it sends as it is."
    given = item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call")
    return back(item) if given else item


def _as_message(item: Item) -> Item:
    if "output" in item:
        return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    return item


def _answer(output: list[Item]) -> Item:
    "As the chat API would have had it."
    of_type: dict[str, list[Item]] = {"reasoning": [], "message": [], "function_call": []}
    for item in output:
        of_type[item["type"]].append(item)
    calls = [
        {
            "id": item["call_id"],
            "type": "function",
            "function": {key: item[key] for key in ("name", "arguments")},
        }
        for item in of_type["function_call"]
    ]
    return {
        "role": "assistant",
        "content": "\n\n".join(item["content"][0]["text"] for item in of_type["message"]) or None,
        "reasoning": "".join(item["content"][0]["text"] for item in of_type["reasoning"]),
        **({"tool_calls": calls} if calls else {}),
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*CHATS, *ITEMS, "previous"]), min_size=4, max_size=4))
def test_a_client_that_switches_between_apis(
    tmp_path_factory: pytest.TempPathFactory, ways: list[str]
) -> None:
    async def asked(ways: list[str]) -> list[str]:
        engine = AsyncScriptedEngine(*SCRIPT)
        async with proxied(engine, database=tmp_path_factory.mktemp("log") / "logs.db") as proxy:
            await loop(Changing(proxy, ways))
        return [completion.prompt for completion in engine.asked]

    assert asyncio.run(asked(ways)) == asyncio.run(asked(["items"] * 4))
