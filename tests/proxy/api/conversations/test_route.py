"Conversations, with a scripted engine."

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from click.testing import CliRunner
from llm.cli import cli
from llm.parts import Message
from openai.types.conversations import (
    Conversation,
    ConversationDeletedResource,
    ConversationItem,
    ConversationItemList,
)
from pydantic import TypeAdapter
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine
from support.sdk import aasking, asking

from proxy.app import create_app
from proxy.http import api_keys
from proxy.log.database import open_log
from proxy.settings import Settings

ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)
URL = "/v1/conversations"
THINKS = "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Hello"
HELLO = "<|channel|>final<|message|>Hello"
CALLS = '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"a": 1}<|call|>'
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
EASY = {"role": "user", "content": "Hi"}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def error_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


async def create_conversation(proxy: Proxied, *items: Any, **fields: Any) -> str:
    answer = await proxy.post(URL, {"items": items, **fields})
    assert answer.status_code == 200, answer.text
    Conversation.model_validate(answer.json(), strict=True)
    return f"{URL}/{answer.json()['id']}"


async def create_response(proxy: Proxied, at: str, input: Any = "Hi", **fields: Any) -> dict[str, Any]:
    "Create a response in the conversation."
    body = {"model": "gpt-oss", "input": input, "conversation": at.rpartition("/")[2], **fields}
    answer = await proxy.post("/v1/responses", body)
    assert answer.status_code == 200, answer.text
    response: dict[str, Any] = answer.json()
    return response


async def items(proxy: Proxied, at: str, query: str = "order=asc") -> list[dict[str, Any]]:
    answer = await proxy.get(f"{at}/items?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    for each in found:
        assert ITEM.validate_python(each, strict=True).model_dump(exclude_unset=True) == each
        assert (await proxy.get(f"{at}/items/{each['id']}")).json() == each
    return found


async def ids(proxy: Proxied, at: str, query: str = "order=asc") -> list[str]:
    return [each["id"] for each in await items(proxy, at, query)]


def texts(found: list[dict[str, Any]]) -> list[str]:
    "The text of each item."
    return [
        each.get("arguments") or each.get("output") or "".join(part["text"] for part in each["content"])
        for each in found
    ]


def shell_turn(proxy: Proxied, *messages: Message) -> str:
    "Log a turn of the shell, and return the id of its thread."
    log = open_log(proxy.server.settings.database)
    try:
        tip = log.ensure_chain(messages)
        thread = log.create_thread("shell", tip=tip)
        turn = {"id": "01jz" + "0" * 22, "thread_id": thread, "tip_message_hash": tip, "model": "theirs"}
        log.db["turns"].insert({**turn, "datetime_utc": "2026-08-01T00:00:00+00:00", "duration_ms": 1})
        log.db.conn.commit()
        return thread
    finally:
        log.db.close()


# A conversation


async def test_create_retrieve_update_delete() -> None:
    async with proxied() as proxy:
        before = int(time.time())
        answer = await proxy.post(URL, {"metadata": {"a": "b"}})
        conversation = answer.json()
        assert set(conversation) == {"id", "object", "created_at", "metadata"}
        assert (conversation["object"], conversation["metadata"]) == ("conversation", {"a": "b"})
        assert before <= conversation["created_at"] <= time.time()
        at = f"{URL}/{conversation['id']}"
        assert (await proxy.get(at)).json() == conversation
        changed = await proxy.post(at, {"metadata": {"c": "d"}})
        assert changed.json() == {**conversation, "metadata": {"c": "d"}} == (await proxy.get(at)).json()
        assert (await proxy.post(at, {"metadata": None})).json()["metadata"] == {}
        gone = (await proxy.client.delete(at)).json()
        assert gone == {"id": conversation["id"], "object": "conversation.deleted", "deleted": True}
        ConversationDeletedResource.model_validate(gone, strict=True)
        for answer in (
            await proxy.get(at),
            await proxy.post(at, {"metadata": {}}),
            await proxy.client.delete(at),
            await proxy.get(f"{at}/items"),
            await proxy.post(f"{at}/items", {"items": [EASY]}),
            await proxy.get(f"{at}/items/msg_1"),
            await proxy.client.delete(f"{at}/items/msg_1"),
            await proxy.get(at.replace("conv_", "")),
            await proxy.get(f"{URL}/conv_nothing"),
        ):
            assert error_of(answer) == (404, None, "conversation_id")


async def test_empty_conversation() -> None:
    async with proxied() as proxy:
        for body in ({}, {"items": None, "metadata": None}, {"items": []}):
            at = f"{URL}/{(await proxy.post(URL, body)).json()['id']}"
            assert await items(proxy, at) == []
        assert (await proxy.post(f"{at}/items", {"items": []})).json()["data"] == []


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("", {"items": [EASY] * 21}, "array_above_max_length", "items"),
        ("", {"items": [{"content": "Hi"}]}, "missing_required_parameter", "items[0].type"),
        ("", {"items": [{"role": "user", "content": 5}]}, "invalid_type", "items[0].content"),
        ("", {"items": [{"type": "item_reference", "id": "msg_1"}]}, None, "items"),
        ("", {"items": [{"type": "computer_call"}]}, "invalid_value", "items[0]"),
        ("", {"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ("/{id}", {}, "missing_required_parameter", "metadata"),
        ("/{id}/items", {}, "missing_required_parameter", "items"),
        ("/{id}/items", {"items": [EASY] * 21}, "array_above_max_length", "items"),
    ],
)
async def test_invalid_body(path: str, body: Any, code: str | None, param: str) -> None:
    async with proxied() as proxy:
        at = await create_conversation(proxy)
        answer = await proxy.post(URL + path.replace("{id}", at.rpartition("/")[2]), body)
        assert error_of(answer) == (
            404 if param == "items" and "reference" in str(body) else 400,
            code,
            param,
        )
        assert proxy.rows("select count(*) from threads") == [(1,)]


@pytest.mark.parametrize("off", ["header", "policy", "llm"])
async def test_logging_is_off(off: str) -> None:
    policy = {"log_policy": "off"} if off == "policy" else {}
    headers = {"x-llm-log": "off"} if off == "header" else {}
    async with proxied(**policy) as proxy:
        if off == "llm":
            CliRunner().invoke(cli, ["logs", "off"], catch_exceptions=False)
        answer = await proxy.post(URL, {"items": [EASY]}, headers=headers)
        assert error_of(answer) == (400, "log_off", None)
        assert proxy.rows("select count(*) from threads") == [(0,)]
        if off == "header":
            at = await create_conversation(proxy)
            assert (
                error_of(await proxy.post(f"{at}/items", {"items": [EASY]}, headers=headers))[1] == "log_off"
            )


# Its items


async def test_add_items() -> None:
    sent = [
        {"type": "message", "role": "developer", "content": "Be kind"},
        EASY,
        {**THOUGHT, "id": "rs_1"},
        {"role": "assistant", "content": "First"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Second", "annotations": []}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "Seen"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "echo", "input": "x y"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "x y"},
    ]
    async with proxied() as proxy:
        at = await create_conversation(proxy, *sent[:5])
        answer = (await proxy.post(f"{at}/items", {"items": sent[5:]})).json()
        ConversationItemList.model_validate(answer, strict=True)
        assert [each["type"] for each in answer["data"]] == [each["type"] for each in sent[5:]]
        found = await items(proxy, at)
        assert found[5:] == answer["data"]
        assert [each["type"] for each in found[:5]] == [
            "message",
            "message",
            "reasoning",
            "message",
            "message",
        ]
        assert [each.get("role") for each in found[1:4]] == ["user", None, "assistant"]
        assert found[7]["input"] == "x y"
        assert len({each["id"] for each in found}) == len(sent)


def item_types(found: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in found]


CALL_FIELDS = {"call_id": "call_1", "name": "look"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "Seen"}


@pytest.mark.parametrize("role", ["custom", "function"])
async def test_an_id_that_another_client_uses_too(role: str) -> None:
    mine, theirs = (bearer(api_keys.add(name)) for name in ("mine", "theirs"))
    calls = {
        "function": {"type": "function_call", **CALL_FIELDS, "arguments": '{"input":"x"}'},
        "custom": {"type": "custom_tool_call", **CALL_FIELDS, "input": "x"},
    }
    other = calls.pop(role)
    (own,) = calls.values()
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        created = await proxy.post(URL, {"items": [EASY, own, OUTPUT]}, headers=mine)
        at = f"{URL}/{created.json()['id']}/items?order=asc"
        before = (await proxy.get(at, headers=mine)).json()
        assert before["data"][1]["type"] == own["type"]
        # The same conversation, so that even the hashes of its messages are the same.
        await proxy.post(URL, {"items": [EASY, other, OUTPUT]}, headers=theirs)
        body = {"model": "gpt-oss", "input": [EASY, other, OUTPUT]}
        assert (await proxy.post("/v1/responses", body, headers=theirs)).status_code == 200
        assert (await proxy.get(at, headers=mine)).json() == before


async def test_an_id_that_a_conversation_uses_twice() -> None:
    function = {"type": "function_call", **CALL_FIELDS, "arguments": "{}"}
    custom = {"type": "custom_tool_call", "call_id": "call_1", "name": "echo", "input": "x"}
    async with proxied() as proxy:
        at = await create_conversation(proxy, EASY, function, OUTPUT)
        await proxy.post(f"{at}/items", {"items": [custom, OUTPUT]})
        kinds = item_types(await items(proxy, at))
        assert kinds[1:3] == ["function_call", "function_call_output"]
        assert kinds[3:] == ["custom_tool_call", "custom_tool_call_output"]


async def test_a_custom_call_stays_one_where_it_is_referred_to() -> None:
    custom = {"type": "custom_tool_call", **CALL_FIELDS, "input": "x"}
    async with proxied() as proxy:
        at = await create_conversation(proxy, EASY, custom, OUTPUT)
        references = [{"type": "item_reference", "id": each["id"]} for each in await items(proxy, at)]
        copy = await create_conversation(proxy, *references)
        assert item_types(await items(proxy, copy)) == item_types(await items(proxy, at))


async def test_a_fork_has_the_custom_calls_of_its_beginning() -> None:
    custom = {"type": "custom_tool_call", **CALL_FIELDS, "input": "x"}
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO)) as proxy:
        at = await create_conversation(proxy, EASY, custom, OUTPUT)
        first = await create_response(proxy, at)
        body = {"model": "gpt-oss", "previous_response_id": first["id"]}
        answers = [await proxy.post("/v1/responses", {**body, "input": text}) for text in ("One", "Two")]
        assert len({thread for (thread,) in proxy.rows("select thread_id from turns")}) == 2
        for answer in answers:
            found = (await proxy.get(f"/v1/responses/{answer.json()['id']}/input_items?order=asc")).json()[
                "data"
            ]
            assert item_types(found[1:3]) == ["custom_tool_call", "custom_tool_call_output"]


async def test_an_assistants_items_are_one_message() -> None:
    text = {"role": "assistant", "content": "Hello"}
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    async with proxied() as proxy:
        together = await create_conversation(proxy, EASY, THOUGHT, text, text, call)
        apart = await create_conversation(proxy, EASY)
        before: list[str] = []
        for each in (THOUGHT, text, text, call):
            await proxy.post(f"{apart}/items", {"items": [each]})
            now = await ids(proxy, apart)
            assert now[: len(before)] == before
            before = now
        tip_hashes = proxy.rows("select distinct tip_message_hash from threads")
        assert len(tip_hashes) == 1
        assert texts(await items(proxy, apart)) == texts(await items(proxy, together))


async def test_pages() -> None:
    async with proxied() as proxy:
        at = await create_conversation(proxy, *[{"role": "user", "content": str(n)} for n in range(5)])
        every = await ids(proxy, at)
        assert await ids(proxy, at, "") == await ids(proxy, at, "order=desc") == every[::-1]
        first = (await proxy.get(f"{at}/items?order=asc&limit=2")).json()
        assert (first["object"], first["first_id"], first["last_id"], first["has_more"]) == (
            "list",
            every[0],
            every[1],
            True,
        )
        assert await ids(proxy, at, f"order=asc&limit=2&after={every[1]}") == every[2:4]
        assert await ids(proxy, at, f"limit=2&after={every[3]}") == [every[2], every[1]]
        assert (await proxy.get(f"{at}/items?after={every[1]}")).json()["has_more"] is False
        for query, param in (("limit=0", "limit"), ("order=up", "order"), ("after=msg_1", "after")):
            answer = await proxy.get(f"{at}/items?{query}")
            assert error_of(answer)[::2] == (400, param)


@pytest.mark.parametrize("name", ["include", "include[]"])
async def test_include_encrypted_content(name: str) -> None:
    async with proxied(reasoning="summary") as proxy:
        at = await create_conversation(proxy, EASY, THOUGHT)
        query = {name: "reasoning.encrypted_content"}
        (bare, *_), (sealed, *_) = [
            (await proxy.get(f"{at}/items", params=params)).json()["data"] for params in ({}, query)
        ]
        assert (bare["summary"], bare["content"]) == ([{"type": "summary_text", "text": "Hm"}], [])
        assert sealed == {**bare, "encrypted_content": sealed["encrypted_content"]}
        repeated = await proxy.get(f"{at}/items/{bare['id']}", params=query)
        assert repeated.json() == sealed
        body = {"items": [{**sealed, "summary": [], "content": []}]}
        (added,) = (await proxy.post(f"{at}/items", body, params=query)).json()["data"]
        assert {**added, "id": sealed["id"]} == sealed


async def test_items_of_a_response() -> None:
    async with proxied(AsyncScriptedEngine(THINKS)) as proxy:
        at = await create_conversation(proxy)
        response = await create_response(proxy, at)
        first, *messages = await items(proxy, at)
        assert messages == response["output"]
        asked = await proxy.get(f"/v1/responses/{response['id']}/input_items")
        assert asked.json()["data"] == [first]
        for absent in ("msg_1", "msg_" + "0" * 32 + "_0", f"{first['id']}0"):
            assert error_of(await proxy.get(f"{at}/items/{absent}")) == (404, None, "item_id")
            assert error_of(await proxy.client.delete(f"{at}/items/{absent}")) == (404, None, "item_id")


async def test_item_reference_is_copied() -> None:
    async with proxied(AsyncScriptedEngine(THINKS)) as proxy:
        at = await create_conversation(proxy)
        response = await create_response(proxy, at)
        references = [{"type": "item_reference", "id": each["id"]} for each in response["output"]]
        other = await create_conversation(proxy, EASY, *references)
        assert texts(await items(proxy, other)) == ["Hi", "Hm", "Hello"]


# What a deletion leaves


async def test_delete_item_keeps_the_ids_of_the_others() -> None:
    async with proxied(AsyncScriptedEngine(THINKS, CALLS, HELLO)) as proxy:
        at = await create_conversation(proxy, {"role": "user", "content": "First"})
        await create_response(proxy, at, "Second", instructions="Rhyme")
        called = await create_response(proxy, at, "Look", tools=[LOOK])
        (call,) = called["output"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "Seen"}
        await create_response(proxy, at, [output], tools=[LOOK], instructions="Shout")
        found = await items(proxy, at)
        assert texts(found) == ["First", "Second", "Hm", "Hello", "Look", '{"a": 1}', "Seen", "Hello"]
        while found:
            gone = found.pop(len(found) // 2)
            answer = await proxy.client.delete(f"{at}/items/{gone['id']}")
            assert answer.json() == (await proxy.get(at)).json()
            assert await items(proxy, at) == found
            assert error_of(await proxy.get(f"{at}/items/{gone['id']}")) == (404, None, "item_id")


async def test_deleted_items_are_not_sent_to_the_model() -> None:
    engine = AsyncScriptedEngine(THINKS, HELLO)
    async with proxied(engine) as proxy:
        at = await create_conversation(
            proxy, {"role": "user", "content": "SECRET"}, {"role": "user", "content": "Stays"}
        )
        await create_response(proxy, at, "Second", instructions="Rhyme")
        secret, *_ = await ids(proxy, at)
        await proxy.client.delete(f"{at}/items/{secret}")
        await create_response(proxy, at, "Third")
        asked = engine.asked[1].prompt
        assert "SECRET" in engine.asked[0].prompt
        assert "SECRET" not in asked
        assert "Rhyme" not in asked
        assert [word for word in ("Stays", "Second", "Hello", "Third") if word not in asked] == []
        assert texts(await items(proxy, at)) == ["Stays", "Second", "Hm", "Hello", "Third", "Hello"]


async def test_neighbours_of_a_deleted_item_become_one_message() -> None:
    text = {"role": "assistant", "content": "Hello"}
    async with proxied() as proxy:
        at = await create_conversation(proxy, EASY, text, EASY, text)
        before = await ids(proxy, at)
        await proxy.client.delete(f"{at}/items/{before[2]}")
        assert await ids(proxy, at) == [before[0], before[1], before[3]]
        await create_conversation(proxy, EASY, text, text)
        first, second = proxy.rows("select tip_message_hash from threads")
        assert first == second


# What others began


async def test_a_chat_is_a_conversation() -> None:
    async with proxied(AsyncScriptedEngine(THINKS, HELLO)) as proxy:
        await proxy.chat({"role": "system", "content": "Be kind"}, user="Hi", verbosity="low")
        (turn,) = proxy.turns()
        at = f"{URL}/conv_{turn['thread_id']}"
        conversation = (await proxy.get(at)).json()
        assert conversation["metadata"] == {}
        assert abs(conversation["created_at"] - time.time()) < 60
        found = await items(proxy, at)
        assert texts(found) == ["Be kind", "Hi", "Hm", "Hello"]
        assert found[3]["id"] == f"msg_{turn['id']}_1"
        await create_response(proxy, at, "More")
        assert (await ids(proxy, at))[:4] == [each["id"] for each in found]
        changed = (await proxy.post(at, {"metadata": {"a": "b"}})).json()
        assert changed == {**conversation, "metadata": {"a": "b"}} == (await proxy.get(at)).json()


async def test_a_conversation_of_the_shell_is_continued() -> None:
    engine = AsyncScriptedEngine(HELLO)
    async with proxied(engine) as proxy:
        thread = shell_turn(proxy, system("Be kind"), user("Hi"), assistant(reasoning("Hm"), "Hello"))
        at = f"{URL}/conv_{thread}"
        assert texts(await items(proxy, at)) == ["Be kind", "Hi", "Hm", "Hello"]
        await create_response(proxy, at, "More")
        assert "Be kind" in engine.asked[0].prompt
        assert texts(await items(proxy, at))[4:] == ["More", "Hello"]


async def test_messages_of_the_shell_are_split_into_items() -> None:
    "A tool's message in the shell may hold several results."
    several = Message("tool", [*result("call_1", "One").parts, *result("call_2", "Two").parts])
    async with proxied() as proxy:
        thread = shell_turn(
            proxy, user("Hi"), assistant(call("call_1"), call("call_2")), several, assistant("Done")
        )
        at = f"{URL}/conv_{thread}"
        found = await items(proxy, at)
        assert [each["type"] for each in found[1:5]] == ["function_call"] * 2 + ["function_call_output"] * 2
        await proxy.client.delete(f"{at}/items/{found[3]['id']}")
        assert await items(proxy, at) == [each for each in found if each is not found[3]]


async def test_visibility() -> None:
    mine, theirs, boss = (
        bearer(api_keys.add(name, admin=name == "boss")) for name in ("mine", "theirs", "boss")
    )
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        own = (await proxy.post(URL, {"items": [EASY]}, headers=mine)).json()["id"]
        await proxy.chat(user="Hi", headers=mine)
        chat = f"conv_{proxy.turns()[0]['thread_id']}"
        shell = f"conv_{shell_turn(proxy, user('Hi'))}"
        for id, seen_by in ((own, [mine, boss]), (chat, [mine, boss]), (shell, [boss])):
            for headers in (mine, theirs, boss):
                wanted = 200 if headers in seen_by else 404
                for path in ("", "/items"):
                    assert (await proxy.get(f"{URL}/{id}{path}", headers=headers)).status_code == wanted
        assert (await proxy.client.delete(f"{URL}/{own}", headers=theirs)).status_code == 404
        hi = (await proxy.get(f"{URL}/{own}/items", headers=mine)).json()["first_id"]
        reference = {"items": [{"type": "item_reference", "id": hi}]}
        assert (await proxy.post(URL, reference, headers=theirs)).status_code == 404
        assert (await proxy.post(URL, reference, headers=boss)).status_code == 200


async def test_a_deleted_conversation_cannot_be_continued() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO)) as proxy:
        first = (await proxy.chat(user="Hi")).json()["choices"][0]["message"]
        thread = proxy.turns()[0]["thread_id"]
        await proxy.client.delete(f"{URL}/conv_{thread}")
        await proxy.chat({"role": "user", "content": "Hi"}, first, user="More")
        previous = f"resp_{proxy.turns()[0]['id']}"
        body = {"model": "gpt-oss", "input": "More", "previous_response_id": previous}
        assert (await proxy.post("/v1/responses", body)).status_code == 200
        assert [turn["thread_id"] == thread for turn in proxy.turns()] == [True, False, False]


async def test_the_name_is_the_first_message() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        await create_conversation(proxy, {"role": "user", "content": "With items"})
        at = await create_conversation(proxy)
        await proxy.post(f"{at}/items", {"items": [{"role": "user", "content": "Items later"}]})
        at = await create_conversation(proxy)
        await create_response(proxy, at, "A response")
        names = proxy.rows("select name from threads order by id")
        assert names == [("With items",), ("Items later",), ("A response",)]


async def test_the_name_is_not_a_deleted_message() -> None:
    async with proxied() as proxy:
        at = await create_conversation(
            proxy, *({"role": "user", "content": text} for text in ("First", "Second", "Third"))
        )
        third, second, first = (item["id"] for item in (await proxy.get(f"{at}/items")).json()["data"])
        names = []
        for item_id in (second, first, third):
            await proxy.client.delete(f"{at}/items/{item_id}")
            names += proxy.rows("select name from threads")
        assert names == [("First",), ("Third",), (None,)]


# OpenAI's SDK, and a restart


@pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
def test_the_sdk(opened: Callable[..., Any]) -> None:
    app = create_app(Settings(host="testserver"), engine=AsyncScriptedEngine(THINKS))
    with opened(app) as sdk:
        create_conversation = sdk.call(
            lambda client: client.conversations.create(items=[EASY], metadata={"a": "b"})
        )
        response = sdk.call(
            lambda client: client.responses.create(
                model="gpt-oss", input="More", conversation=create_conversation.id
            )
        )
        before = sdk.listed(lambda client: client.conversations.items.list(create_conversation.id, limit=1))
        assert [each.id for each in before[:2]] == [each.id for each in response.output[::-1]]

    app = create_app(Settings(host="testserver"), engine=AsyncScriptedEngine(HELLO))
    with opened(app) as sdk:
        conversations = sdk.client.conversations
        assert sdk.call(lambda _: conversations.retrieve(create_conversation.id)) == create_conversation
        after = sdk.listed(lambda _: conversations.items.list(create_conversation.id, order="asc", limit=3))
        assert after == before[::-1]
        one = sdk.call(
            lambda _: conversations.items.retrieve(after[1].id, conversation_id=create_conversation.id)
        )
        assert one == after[1]
        call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
        added = sdk.call(
            lambda _: conversations.items.create(
                create_conversation.id, items=[call], include=["reasoning.encrypted_content"]
            )
        )
        assert added.data[0].type == "function_call"
        left = sdk.call(
            lambda _: conversations.items.delete(added.data[0].id, conversation_id=create_conversation.id)
        )
        assert left == create_conversation
        assert sdk.listed(lambda _: conversations.items.list(create_conversation.id, order="asc")) == after
        changed = sdk.call(lambda _: conversations.update(create_conversation.id, metadata={"c": "d"}))
        assert changed.metadata == {"c": "d"}
        assert sdk.call(lambda _: conversations.delete(create_conversation.id)).deleted is True
        with pytest.raises(openai.NotFoundError):
            sdk.call(lambda _: conversations.retrieve(create_conversation.id))


async def test_items_may_be_messages_of_chat_completions() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    async with proxied() as proxy:
        at = await create_conversation(proxy, {"role": "assistant", "tool_calls": [call]})
        result = {"role": "tool", "tool_call_id": "call_1", "content": "It is blue."}
        assert (await proxy.post(f"{at}/items", {"items": [result]})).status_code == 200
        items = (await proxy.get(f"{at}/items?order=asc")).json()["data"]
    assert [(item["type"], item["call_id"]) for item in items] == [
        ("function_call", "call_1"),
        ("function_call_output", "call_1"),
    ]
