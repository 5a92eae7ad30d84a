"Stored chat completions, with a scripted engine."

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionDeleted, ChatCompletionStoreMessage
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, spoken
from support.sdk import aasking, asking

from llm_gpt_oss.completion import Done
from llm_gpt_oss.errors import StreamCut
from proxy.app import create_app
from proxy.http import api_keys
from proxy.settings import Settings

THINKS = "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Hello"
HELLO = "<|channel|>final<|message|>Hello"
CALLS = '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"a": 1}<|call|>'
CUSTOM = '<|channel|>commentary to=functions.echo <|constrain|>json<|message|>{"input": "x y"}<|call|>'
DONE = Done("stop", prompt_tokens=10, completion_tokens=2)
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
ECHO = {"type": "custom", "custom": {"name": "echo"}}
PATH = "/v1/chat/completions"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def create_completion(proxy: Proxied, text: str = "Hi", **fields: Any) -> dict[str, Any]:
    answer = await proxy.chat(user=text, **{"store": True, **fields})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def list_ids(proxy: Proxied, query: str = "") -> list[str]:
    answer = await proxy.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def error_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        pytest.param([THINKS], {}, id="text"),
        pytest.param([THINKS], {"reasoning": {"exclude": True}}, id="reasoning excluded"),
        pytest.param([THINKS], {"include_reasoning": False}, id="reasoning not included"),
        pytest.param([THINKS, HELLO], {"n": 2}, id="choices"),
        pytest.param([CALLS], {"tools": [LOOK]}, id="call"),
        pytest.param([CUSTOM], {"tools": [ECHO]}, id="custom call"),
        pytest.param([CALLS], {"functions": [LOOK["function"]]}, id="function call"),
        pytest.param(
            [[*spoken("<|channel|>", "final", "<|message|>", "Hel", "lo"), DONE]],
            {"logprobs": True},
            id="logprobs",
        ),
        pytest.param([THINKS], {"verbosity": "low", "metadata": {"a": "b"}}, id="metadata"),
    ],
)
async def test_retrieve_returns_the_original_answer(script: list[Any], fields: dict[str, Any]) -> None:
    async with proxied(AsyncScriptedEngine(*script)) as proxy:
        made = await create_completion(proxy, **fields)
        repeated = await proxy.get(f"{PATH}/{made['id']}")
        assert repeated.json() == {**made, "metadata": fields.get("metadata", {})}
        ChatCompletion.model_validate(repeated.json(), strict=True)
        (only,) = (await proxy.get(PATH)).json()["data"]
        assert only == repeated.json()


async def test_retrieve_a_streamed_completion() -> None:
    async with proxied(AsyncScriptedEngine(THINKS)) as proxy:
        await proxy.chat(user="Hi", store=True, stream=True)
        (repeated,) = (await proxy.get(PATH)).json()["data"]
        (choice,) = repeated["choices"]
        assert (choice["message"]["content"], choice["message"]["reasoning"]) == ("Hello", "Hm")
        assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param("reasoning", {"reasoning": "Hm"}, id="reasoning"),
        pytest.param("reasoning_content", {"reasoning_content": "Hm"}, id="reasoning_content"),
        pytest.param("both", {"reasoning": "Hm", "reasoning_content": "Hm"}, id="both"),
    ],
)
async def test_reasoning_field(field: str, expected: dict[str, str]) -> None:
    def reasoning_in(message: dict[str, Any]) -> dict[str, str]:
        return {key: value for key, value in message.items() if key.startswith("reasoning")}

    engine = AsyncScriptedEngine(THINKS, THINKS, HELLO)
    async with proxied(engine, reasoning_field=field) as proxy:
        made = await create_completion(proxy)
        stream = await proxy.chat(user="Hi again", store=True, stream=True, metadata={"a": "b"})
        assert {name for name in ("reasoning", "reasoning_content") if f'"{name}"' in stream.text} == set(
            expected
        )
        answered = {"role": "assistant", "content": "Hello"}
        later = await create_completion(proxy, messages=[user("Hi"), answered, user("More")])
        retrieved = await proxy.get(f"{PATH}/{made['id']}")
        streamed = (await proxy.get(f"{PATH}?metadata[a]=b")).json()["data"]
        updated = await proxy.post(f"{PATH}/{made['id']}", {"metadata": {}})
        for each in (made, retrieved.json(), *streamed, updated.json()):
            assert reasoning_in(each["choices"][0]["message"]) == expected
        messages = (await proxy.get(f"{PATH}/{later['id']}/messages")).json()["data"]
        assert reasoning_in(messages[1]) == expected


async def test_only_stored_and_complete_completions_are_listed() -> None:
    broken = ["<|channel|>final<|message|>Hel", StreamCut("cut")]
    async with proxied(AsyncScriptedEngine(HELLO, broken, HELLO, broken, HELLO)) as proxy:
        await proxy.chat(user="Not this")
        assert (await proxy.chat(user="Broken", store=True)).status_code == 502
        assert (await proxy.chat(user="Broken in the end", store=True, n=2)).status_code == 502
        made = await create_completion(proxy, "This")
        assert await list_ids(proxy) == [made["id"]]
        for turn in proxy.turns():
            if f"chatcmpl-{turn['id']}" != made["id"]:
                assert error_of(await proxy.get(f"{PATH}/chatcmpl-{turn['id']}"))[0] == 404
        assert error_of(await proxy.get(f"{PATH}/{made['id']}x")) == (404, None, "completion_id")


async def test_the_model_name_is_that_of_the_request() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        made = await create_completion(proxy, model="gpt-oss")
        assert (await proxy.get(f"{PATH}/{made['id']}")).json()["model"] == "gpt-oss"
        assert await list_ids(proxy, "model=gpt-oss") == [made["id"]]
        assert await list_ids(proxy, "model=gpt-oss:20b") == []


# Lists


@pytest.fixture
async def five_completions() -> AsyncIterator[Proxied]:
    async with proxied(AsyncScriptedEngine(*[HELLO] * 7)) as proxy:
        for n in range(5):
            await create_completion(
                proxy, f"Number {n}", metadata={"n": str(n), "odd": str(n % 2)}, n=2 if n == 2 else 1
            )
        yield proxy


async def test_pages(five_completions: Proxied) -> None:
    ids = await list_ids(five_completions)
    assert ids == sorted(ids)
    assert await list_ids(five_completions, "order=desc") == ids[::-1]
    first = (await five_completions.get(f"{PATH}?limit=2")).json()
    assert (first["object"], first["first_id"], first["last_id"], first["has_more"]) == (
        "list",
        ids[0],
        ids[1],
        True,
    )
    assert await list_ids(five_completions, f"limit=2&after={ids[1]}") == ids[2:4]
    last = (await five_completions.get(f"{PATH}?limit=2&after={ids[3]}")).json()
    assert ([each["id"] for each in last["data"]], last["has_more"]) == (ids[4:], False)
    assert await list_ids(five_completions, f"order=desc&after={ids[2]}") == [ids[1], ids[0]]
    nothing = (await five_completions.get(f"{PATH}?after={ids[4]}")).json()
    assert (nothing["data"], nothing["has_more"]) == ([], False)


async def test_the_page_after_a_deleted_completion(five_completions: Proxied) -> None:
    ids = await list_ids(five_completions)
    for each in ids[:2]:
        await five_completions.client.delete(f"{PATH}/{each}")
    assert await list_ids(five_completions, f"after={ids[1]}") == ids[2:]


async def test_metadata_filters(five_completions: Proxied) -> None:
    ids = await list_ids(five_completions)
    assert await list_ids(five_completions, "metadata[odd]=1") == [ids[1], ids[3]]
    assert await list_ids(five_completions, "metadata[odd]=1&metadata[n]=3") == [ids[3]]
    assert await list_ids(five_completions, "metadata[odd]=1&order=desc&model=gpt-oss:20b") == [
        ids[3],
        ids[1],
    ]
    assert await list_ids(five_completions, f"metadata[odd]=1&after={ids[1]}") == [ids[3]]
    assert (
        await list_ids(five_completions, "metadata[odd]=2")
        == await list_ids(five_completions, "metadata[even]=1")
        == []
    )
    many = "&".join(f"metadata[{n}]=x" for n in range(17))
    assert error_of(await five_completions.get(f"{PATH}?{many}")) == (
        400,
        "object_above_max_properties",
        "metadata",
    )


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "integer_below_min_value", "limit"),
        ("limit=101", "integer_above_max_value", "limit"),
        ("limit=many", "invalid_value", "limit"),
        ("order=up", "invalid_value", "order"),
        ("after=chatcmpl-1", "invalid_value", "after"),
        ("after=", "invalid_value", "after"),
    ],
)
async def test_invalid_query(query: str, code: str, param: str) -> None:
    async with proxied() as proxy:
        assert error_of(await proxy.get(f"{PATH}?{query}")) == (400, code, param)


# Changes


async def test_metadata_is_replaced() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        made = await create_completion(proxy, metadata={"a": "b"}, n=2)
        path = f"{PATH}/{made['id']}"
        changed = await proxy.post(path, {"metadata": {"c": "d"}})
        assert changed.json() == {**made, "metadata": {"c": "d"}} == (await proxy.get(path)).json()
        assert await list_ids(proxy, "metadata[a]=b") == []
        assert await list_ids(proxy, "metadata[c]=d") == [made["id"]]
        assert (await proxy.post(path, {"metadata": None})).json()["metadata"] == {}
        assert await list_ids(proxy, "metadata[c]=d") == []


async def test_invalid_update() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        path = f"{PATH}/{(await create_completion(proxy))['id']}"
        assert error_of(await proxy.post(path, {})) == (400, "missing_required_parameter", "metadata")
        assert error_of(await proxy.post(path, {"metadata": {"a": 1}})) == (400, "invalid_type", "metadata.a")
        assert error_of(await proxy.post(f"{path}x", {"metadata": {}})) == (404, None, "completion_id")


async def test_delete() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        made = await create_completion(proxy, n=2, metadata={"a": "b"})
        path = f"{PATH}/{made['id']}"
        answer = await proxy.client.delete(path)
        assert answer.json() == {"object": "chat.completion.deleted", "id": made["id"], "deleted": True}
        ChatCompletionDeleted.model_validate(answer.json())
        for gone in (
            await proxy.get(path),
            await proxy.get(f"{path}/messages"),
            await proxy.post(path, {"metadata": {}}),
            await proxy.client.delete(path),
        ):
            assert error_of(gone) == (404, None, "completion_id")
        assert await list_ids(proxy) == await list_ids(proxy, "metadata[a]=b") == []
        assert [turn["deleted"] for turn in proxy.turns()] == [1, 1]


# Messages


async def test_messages() -> None:
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    sent = [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": parts, "name": "Ada"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "Hm"},
        {"role": "tool", "content": "Seen", "tool_call_id": "call_1"},
    ]
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        made = (await proxy.chat(*sent, store=True, verbosity="low")).json()
        path = f"{PATH}/{made['id']}/messages"
        data = (await proxy.get(path)).json()["data"]
        assert [each["id"] for each in data] == [f"{made['id']}-{n}" for n in range(4)]
        shared = {"refusal": None, "content_parts": None}
        assert [{key: each[key] for key in each if key != "id"} for each in data] == [
            {**shared, **sent[0]},
            {**shared, **sent[1], "content": "One\ntwo", "content_parts": parts},
            {**shared, **sent[2]},
            {**shared, **sent[3]},
        ]
        for each in data:  # the SDK has this type for all roles, and no other role in it
            ChatCompletionStoreMessage.model_validate({**each, "role": "assistant"})
        ids = [each["id"] for each in data]
        page = (await proxy.get(f"{path}?order=desc&limit=2&after={ids[3]}")).json()
        assert ([each["id"] for each in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
        assert error_of(await proxy.get(f"{path}?after=x")) == (400, "invalid_value", "after")
        assert error_of(await proxy.get(f"{path}?limit=0")) == (400, "integer_below_min_value", "limit")


async def test_parts_of_the_content() -> None:
    "The SDK knows two types of them, and clients send more."
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [
        {"type": "input_text", "text": "One"},
        {"type": "text"},
        image,
        {"type": "file", "file": {"filename": "a.pdf"}},
    ]
    sent = [{"role": "user", "content": parts}, {"role": "assistant", "content": [{"type": "refusal"}]}]
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        made = (await proxy.chat(*sent, user="Hi", store=True)).json()
        data = (await proxy.get(f"{PATH}/{made['id']}/messages")).json()["data"]
    assert data[0]["content"].split("\n") == [
        "One",
        "",
        "[image: this model cannot see it]",
        "[file a.pdf: this model cannot read it]",
    ]
    texts = [{"type": "text", "text": text} for text in ("One", "")]
    assert data[0]["content_parts"] == [*texts, image]
    assert (data[1]["content"], data[1]["content_parts"]) == ("", None)
    for each in data:
        ChatCompletionStoreMessage.model_validate({**each, "role": "assistant"})


async def test_messages_without_content() -> None:
    "As go-openai sends them: it leaves out every empty text."
    call = {"id": "call_1", "type": "function", "function": {"name": "look"}}
    sent = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1"},
    ]
    engine = AsyncScriptedEngine(HELLO, HELLO)
    async with proxied(engine) as proxy:
        answer = await proxy.chat(*sent, tools=[LOOK], store=True)
        assert answer.status_code == 200, answer.text
        data = (await proxy.get(f"{PATH}/{answer.json()['id']}/messages")).json()["data"]
        assert [each["content"] for each in data] == ["Look", None, None]
        filled = [sent[0], {**sent[1], "content": ""}, {**sent[2], "content": ""}]
        await proxy.chat(*filled, tools=[LOOK])
    assert engine.asked[0].prompt == engine.asked[1].prompt


async def test_messages_of_earlier_requests() -> None:
    async with proxied(AsyncScriptedEngine(CALLS, THINKS, HELLO)) as proxy:
        first = (await proxy.chat(user="Hi", tools=[LOOK])).json()["choices"][0]["message"]
        (call,) = first["tool_calls"]
        seen = [user("Hi"), first, {"role": "tool", "content": "Seen", "tool_call_id": call["id"]}]
        second = (await proxy.chat(*seen, tools=[LOOK])).json()["choices"][0]["message"]
        bare = {"role": "assistant", "content": second["content"]}
        made = await create_completion(proxy, "More", messages=[*seen, bare, user("More")], tools=[LOOK])
        data = (await proxy.get(f"{PATH}/{made['id']}/messages")).json()["data"]
        assert [(each["role"], each["content"]) for each in data] == [
            ("user", "Hi"),
            ("assistant", None),
            ("tool", "Seen"),
            ("assistant", "Hello"),
            ("user", "More"),
        ]
        assert data[1]["tool_calls"] == [call]
        assert data[2]["tool_call_id"] == call["id"]
        # Not sent back, and put back from the log.
        assert data[3]["reasoning"] == data[3]["reasoning_content"] == "Hm"


# Who sees what


async def test_visibility() -> None:
    mine, theirs, boss = (
        bearer(api_keys.add(name, admin=name == "boss")) for name in ("mine", "theirs", "boss")
    )
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        made = (await proxy.chat(user="Hi", store=True, metadata={"a": "b"}, headers=mine)).json()
        path = f"{PATH}/{made['id']}"
        for headers, sees in ((mine, True), (boss, True), (theirs, False)):
            for query in ("", "metadata[a]=b", "model=gpt-oss:20b", "metadata[a]=b&model=gpt-oss:20b"):
                data = (await proxy.get(f"{PATH}?{query}", headers=headers)).json()["data"]
                assert [each["id"] for each in data] == [made["id"]] * sees
            assert ((await proxy.get(path, headers=headers)).status_code == 200) is sees
        assert error_of(await proxy.client.delete(path, headers=theirs))[0] == 404
        assert error_of(await proxy.post(path, {"metadata": {}}, headers=theirs))[0] == 404
        assert (await proxy.get(path, headers=mine)).json()["metadata"] == {"a": "b"}


async def test_unreadable_log() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        made = await create_completion(proxy)
        proxy.server.settings.database.unlink()
        proxy.server.settings.database.mkdir()
        answers = [await proxy.get(PATH), await proxy.client.delete(f"{PATH}/{made['id']}")]
        assert [error_of(answer)[:2] for answer in answers] == [(503, "log_unavailable")] * 2


# OpenAI's SDK, and a restart


@pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
def test_the_sdk(opened: Callable[..., Any]) -> None:
    app = create_app(Settings(host="testserver"), engine=AsyncScriptedEngine(*[THINKS] * 3))
    with opened(app) as sdk:
        made = [
            sdk.create(messages=[user(f"Number {n}")], store=True, metadata={"n": str(n)}) for n in range(3)
        ]
        assert sdk.call(lambda client: client.chat.completions.list(limit=1)).data[0].id == made[0].id

    app = create_app(Settings(host="testserver"))
    with opened(app) as sdk:
        chat = sdk.client.chat.completions
        assert [each.id for each in sdk.listed(lambda _: chat.list(limit=2))] == [each.id for each in made]
        found = sdk.listed(lambda _: chat.list(metadata={"n": "1"}, model="gpt-oss", order="desc"))
        repeated = sdk.call(lambda _: chat.retrieve(made[1].id))
        assert found == [repeated]
        assert {**made[1].to_dict(), "metadata": {"n": "1"}} == repeated.to_dict()
        assert sdk.call(lambda _: chat.update(made[1].id, metadata={"n": "x"})).metadata == {"n": "x"}
        (message,) = sdk.listed(lambda _: chat.messages.list(made[1].id))
        assert (message.id, message.content) == (f"{made[1].id}-0", "Number 1")
        assert sdk.call(lambda _: chat.delete(made[1].id)).deleted is True
        with pytest.raises(openai.NotFoundError):
            sdk.call(lambda _: chat.retrieve(made[1].id))
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.call(lambda _: chat.list(limit=1000))
        assert refused.value.param == "limit"
