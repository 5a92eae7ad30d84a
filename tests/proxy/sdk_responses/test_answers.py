"One response: its text, events, log probabilities and limits."

from __future__ import annotations

import openai
import pytest
from support.sdk_responses import (
    BOTH,
    ENCRYPTED_CONTENT,
    VCR,
    ResponsesClient,
    text_of,
)


@BOTH
@VCR
def test_create(responses: ResponsesClient) -> None:
    response = responses.create("What is the capital of France?", metadata={"a": "b"}, user="me")
    reasoning, message = response.output
    assert (reasoning.type, message.type) == ("reasoning", "message")
    assert reasoning.content
    assert "capital of France" in reasoning.content[0].text
    assert response.output_text == "The capital of France is Paris."
    assert (response.status, response.metadata, response.user) == ("completed", {"a": "b"}, "me")
    assert response.completed_at
    assert response.completed_at >= response.created_at
    assert response.usage
    assert 0 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response._request_id
    assert response._request_id.startswith("req_")
    repeated = responses.retrieve(response.id)
    assert repeated == response
    assert (
        responses.retrieve(response.id, include=[ENCRYPTED_CONTENT]).output[0].to_dict()["encrypted_content"]
    )


@BOTH
@VCR
def test_events(responses: ResponsesClient) -> None:
    events = responses.events("Say hello")
    types = [event.type for event in events if not event.type.endswith(".delta")]
    assert types == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    id = events[-1].response.id
    assert responses.replay(id) == events
    assert responses.replay(id, starting_after=6) == events[7:]
    assert responses.replay(id, starting_after=events[-1].sequence_number) == []
    assert responses.retrieve(id) == events[-1].response


@BOTH
@VCR
def test_stream(responses: ResponsesClient) -> None:
    events, final = responses.stream("What is SQLite?")
    texts = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in texts) == texts[-1].snapshot == final.output_text
    assert text_of(responses.retrieve(final.id)) == final.output_text
    replayed, same = responses.sdk.entered(lambda client: client.responses.stream(response_id=final.id))
    assert (replayed, same) == (events, final)
    later, _ = responses.sdk.entered(
        lambda client: client.responses.stream(response_id=final.id, starting_after=7)
    )
    assert [event.sequence_number for event in later] == [event.sequence_number for event in events[8:]]


@BOTH
@VCR
def test_log_probabilities(responses: ResponsesClient) -> None:
    fields = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    events = responses.events("What is 7 times 8?", **fields)
    (message,) = [item for item in events[-1].response.output if item.type == "message"]
    (part,) = message.content
    assert "".join(token.token for token in part.logprobs) == part.text
    assert {len(token.top_logprobs) for token in part.logprobs} == {2}
    deltas = [event.logprobs for event in events if event.type == "response.output_text.delta"]
    assert [token for tokens in deltas for token in tokens] != []
    assert responses.replay(events[-1].response.id) == events


@BOTH
@VCR
def test_max_output_tokens(responses: ResponsesClient) -> None:
    response = responses.create("Count to 120", max_output_tokens=10)
    assert response.incomplete_details
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.max_output_tokens == 10
    events, final = responses.stream("Count to 120", max_output_tokens=10)
    assert (events[-1].type, final) == ("response.incomplete", None)
    assert responses.retrieve(response.id) == response


@BOTH
@VCR
def test_instructions_are_for_one_response(responses: ResponsesClient) -> None:
    how = "Begin every answer with 'Ahoy'"
    first = responses.create("My name is Ada.", instructions=how)
    assert (first.instructions, first.output_text[:4]) == (how, "Ahoy")
    second = responses.create("What is my name?", previous_response_id=first.id)
    assert "Ahoy" not in second.output_text
    assert "Ada" in second.output_text
    assert (second.instructions, second.previous_response_id) == (None, first.id)
    items = responses.input_items(second.id)
    assert [item.type for item in items] == ["message", *[item.type for item in first.output], "message"]
    texts = [item.content[0].text for item in items if item.type == "message"]
    assert texts == ["My name is Ada.", first.output_text, "What is my name?"]


@BOTH
@VCR
def test_reasoning_effort(responses: ResponsesClient) -> None:
    reasoning, text = {"effort": "none", "summary": "auto"}, {"verbosity": "low"}
    response = responses.create("What is the capital of Peru?", reasoning=reasoning, text=text)
    assert response.output_text == "The capital of Peru is Lima."
    assert [item.type for item in response.output] == ["message"]
    assert response.reasoning
    assert (response.reasoning.effort, response.reasoning.summary) == ("none", "auto")
    assert response.text
    assert response.text.verbosity == "low"


LONG = "word " * 5000


@BOTH
@VCR
def test_truncation(responses: ResponsesClient) -> None:
    history = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes."}]
    input = [*history, {"role": "user", "content": "Say hello"}]
    with pytest.raises(openai.BadRequestError) as caught:
        responses.create(input)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    with pytest.raises(openai.BadRequestError):
        responses.events(input, truncation="disabled")
    response = responses.create(input, truncation="auto")
    assert (response.status, response.truncation) == ("completed", "auto")
    assert "ello" in response.output_text
