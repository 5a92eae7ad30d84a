"What is done with a stored response: its items, deleting, background, compacting."

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.openai_types import check_events
from support.sdk import MODEL
from support.sdk_responses import (
    BOTH,
    OSLO,
    VCR,
    WEATHER,
    Endless,
    ResponsesClient,
)


@BOTH
@VCR
def test_input_items(responses: ResponsesClient) -> None:
    numbers = [{"role": "user", "content": str(number)} for number in range(4)]
    input = [*numbers, {"role": "user", "content": "Say hello"}]
    response = responses.create(input)
    items = responses.input_items(response.id, limit=2)
    assert [item.content[0].text for item in items] == ["0", "1", "2", "3", "Say hello"]
    first = responses.sdk.call(lambda client: client.responses.input_items.list(response.id, limit=2))
    assert ([item.id for item in first.data], first.has_more) == ([items[4].id, items[3].id], True)
    after = responses.input_items(response.id, after=items[2].id)
    assert after == items[3:]


@BOTH
@VCR
def test_delete(responses: ResponsesClient) -> None:
    response = responses.create("Say hello")
    assert responses.sdk.call(lambda client: client.responses.delete(response.id)) is None
    for call in (
        lambda client: client.responses.retrieve(response.id),
        lambda client: client.responses.delete(response.id),
        lambda client: client.responses.cancel(response.id),
    ):
        with pytest.raises(openai.NotFoundError):
            responses.sdk.call(call)
    with pytest.raises(openai.NotFoundError):
        responses.input_items(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        responses.create("Say hello", previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )


@BOTH
@VCR
def test_input_tokens(responses: ResponsesClient) -> None:
    fields: dict[str, Any] = {"model": MODEL, "input": OSLO, "tools": [WEATHER], "instructions": "Be brief."}
    counted = responses.sdk.call(lambda client: client.responses.input_tokens.count(**fields))
    response = responses.create(**fields)
    assert response.usage
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", response.usage.input_tokens)


# What the SDK types as an answer is a message of the user's, as at OpenAI.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@BOTH
@VCR
def test_compact(responses: ResponsesClient) -> None:
    first = responses.create("My name is Ada.")
    fields = {"model": MODEL, "input": "What is SQLite?", "previous_response_id": first.id}
    compacted = responses.sdk.call(lambda client: client.responses.compact(**fields))
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "message", "compaction"]
    assert compacted.usage.output_tokens > 0
    input = [*compacted.output, {"role": "user", "content": "Say hello"}]
    response = responses.create(input)
    assert response.output_text
    types = [item.type for item in responses.input_items(response.id)]
    assert types == ["message", "message", "compaction", "message"]


@BOTH
@VCR
def test_background(responses: ResponsesClient) -> None:
    queued = responses.create("What is SQLite?", background=True)
    assert (queued.status, queued.background) == ("queued", True)
    events = responses.replay(queued.id)
    check_events([event.to_dict() for event in events])
    assert [event.type for event in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    response = responses.retrieve(queued.id)
    assert (response.status, response) == ("completed", events[-1].response)
    assert responses.replay(queued.id, starting_after=5) == events[6:]
    assert responses.sdk.call(lambda client: client.responses.cancel(queued.id)) == response


@BOTH
def test_cancel(scripted: Callable[..., Any]) -> None:
    with scripted(engine=Endless()) as responses:
        queued = responses.create("Hi", background=True)
        while responses.retrieve(queued.id).status != "in_progress":
            time.sleep(0.01)
        cancelled = responses.sdk.call(lambda client: client.responses.cancel(queued.id))
        assert cancelled.status == "cancelled"
        assert responses.retrieve(queued.id) == cancelled
        events = responses.replay(queued.id)
        assert (events[-1].type, events[-1].response.status) == ("response.incomplete", "cancelled")
