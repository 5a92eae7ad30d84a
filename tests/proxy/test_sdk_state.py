"What OpenAI's SDK stores is still there after a restart. Ollama's answers are recorded."

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai
import pytest
from fastapi import FastAPI
from support.sdk import aasking, asking

from proxy.app import create_app
from proxy.settings import Settings

BOTH = pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    "Both clients ask the engine for the same."
    name, _, _ = request.node.name.partition("[")
    return str(name)


def app() -> FastAPI:
    return create_app(replace(Settings.from_env(), host="testserver"))


@BOTH
@pytest.mark.vcr
def test_chat_completions(opened: Callable[..., Any]) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    oslo = [{"role": "user", "content": "What is the weather in Oslo?"}]
    france = [{"role": "user", "content": "What is the capital of France?"}]
    with opened(app()) as sdk:
        created = [
            sdk.create(messages=france, store=True, metadata={"about": "France"}, logprobs=True),
            sdk.create(messages=oslo, store=True, tools=[tool], tool_choice="required"),
            sdk.create(messages=france, store=True, n=2, reasoning_effort="low"),
        ]
        sdk.create(messages=france)
    with opened(app()) as sdk:
        stored = sdk.client.chat.completions
        expected = [{**each.to_dict(), "metadata": {}} for each in created]
        expected[0]["metadata"] = {"about": "France"}
        assert [each.to_dict() for each in sdk.listed(lambda _: stored.list(limit=2))] == expected
        repeated = [sdk.call(lambda _, id=each.id: stored.retrieve(id)) for each in created]
        assert [each.to_dict() for each in repeated] == expected
        (message,) = sdk.listed(lambda _: stored.messages.list(created[1].id))
        assert message.content == "What is the weather in Oslo?"
        sdk.call(lambda _: stored.update(created[1].id, metadata={"about": "Oslo"}))
        (found,) = sdk.listed(lambda _: stored.list(metadata={"about": "Oslo"}))
        assert found.choices[0].message.tool_calls[0].function.name == "get_weather"
        sdk.call(lambda _: stored.delete(created[1].id))
        assert [each.id for each in sdk.listed(lambda _: stored.list())] == [created[0].id, created[2].id]


@BOTH
@pytest.mark.vcr
def test_conversations(opened: Callable[..., Any]) -> None:
    france = [{"role": "user", "content": "What is the capital of France?"}]
    with opened(app()) as sdk:
        created = sdk.call(lambda client: client.conversations.create(items=france, metadata={"a": "b"}))

        def answer(client: Any) -> Any:
            return client.responses.create(model="gpt-oss", input="Why?", conversation=created.id)

        first = sdk.call(answer)
    with opened(app()) as sdk:
        conversations = sdk.client.conversations
        assert sdk.call(lambda _: conversations.retrieve(created.id)) == created
        items = sdk.listed(lambda _: conversations.items.list(created.id, order="asc", limit=2))
        assert [each.to_dict() for each in items[2:]] == [each.to_dict() for each in first.output]
        reference = {"type": "item_reference", "id": items[1].id}
        added = sdk.call(lambda _: conversations.items.create(created.id, items=[reference]))
        assert added.data[0].content == items[1].content
        assert (
            sdk.call(lambda _: conversations.items.delete(items[1].id, conversation_id=created.id)) == created
        )
        remaining = sdk.listed(lambda _: conversations.items.list(created.id, order="asc"))
        assert remaining == [items[0], *items[2:], *added.data]
        with pytest.raises(openai.NotFoundError):
            sdk.call(lambda _: conversations.items.retrieve(items[1].id, conversation_id=created.id))
        sdk.call(lambda _: conversations.delete(created.id))
        with pytest.raises(openai.NotFoundError):
            sdk.call(answer)
