"OpenAI's own types, what they do not know of a value, and what its SDK makes of the events of a response."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

# Each type of event is of one class: the union itself would report what is wrong with all the others.
EVENTS: dict[str, type[BaseModel]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}


def strange(value: Any) -> Iterator[str]:
    "The keys that its type does not have, with the name of the type."
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{type(value).__name__}.{name}"
        for name in value.model_fields_set - set(value.model_extra or ()):
            yield from strange(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from strange(each)


# What OpenAI's description of the API, or Open Responses, has and the SDK has not.
MORE = {
    "Response.frequency_penalty",
    "Response.presence_penalty",
    "Response.store",
    "Logprob.bytes",
    "LogprobTopLogprob.bytes",
    "ResponseFunctionCallArgumentsDoneEvent.name",
    "ResponseCustomToolCall.status",
}


def accumulated(events: Sequence[dict[str, Any]]) -> None:
    "By the SDK: each event by its own class, and all of them by what makes its `stream()`."
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    fired: list[Any] = []
    for event in events:
        typed: Any = EVENTS[event["type"]].model_validate(event, strict=True)
        assert set(strange(typed)) <= MORE
        fired += state.handle_event(typed)
    assert [event.type for event in fired] == [event["type"] for event in events]
    last = events[-1]
    if last["type"] == "response.completed":
        assert state._completed_response is not None
        ours = Response.model_validate(last["response"], strict=True)
        assert state._completed_response.output_text == ours.output_text
