"Checks values and events with OpenAI's own types, and with what its SDK makes of a response's events."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

# The class of each type of event. The union of all classes would report errors of every one of them.
EVENT_CLASSES: dict[str, type[BaseModel]] = {
    get_args(event_class.model_fields["type"].annotation)[0]: event_class
    for event_class in get_args(get_args(ResponseStreamEvent)[0])
}

# Keys that OpenAI's API description or Open Responses have, and the SDK does not. `notes` are our own.
KEYS_BEYOND_THE_SDK = {
    "Response.notes",
    "Response.frequency_penalty",
    "Response.presence_penalty",
    "Response.store",
    "Logprob.bytes",
    "LogprobTopLogprob.bytes",
    "ResponseFunctionCallArgumentsDoneEvent.name",
    "ResponseCustomToolCall.status",
}


def unknown_keys(value: Any) -> Iterator[str]:
    "The keys that a value's class does not have, each as `Class.key`."
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{type(value).__name__}.{name}"
        for name in value.model_fields_set - set(value.model_extra or ()):
            yield from unknown_keys(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from unknown_keys(item)


def check_events(events: Sequence[dict[str, Any]]) -> None:
    "Checks each event with its class, and all of them with the accumulator behind the SDK's `stream()`."
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    accumulated: list[Any] = []
    for event in events:
        typed: Any = EVENT_CLASSES[event["type"]].model_validate(event, strict=True)
        assert set(unknown_keys(typed)) <= KEYS_BEYOND_THE_SDK
        accumulated += state.handle_event(typed)
    assert [event.type for event in accumulated] == [event["type"] for event in events]
    last = events[-1]
    if last["type"] == "response.completed":
        assert state._completed_response is not None
        response = Response.model_validate(last["response"], strict=True)
        assert state._completed_response.output_text == response.output_text
