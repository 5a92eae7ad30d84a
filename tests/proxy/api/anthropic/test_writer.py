"Events and messages, checked with the SDK's types."

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import StreamEvent
from support.anthropic_sdk import check_events, check_message

from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR
from proxy.api.anthropic.writer import (
    Event,
    MessageWriter,
    ThinkingDisplay,
    accumulate,
    base_message,
    usage_json,
)
from proxy.generation import Finished, TokenUsage
from proxy.items.encrypted_content import to_encrypted_content

TURN = "01hf7yat000000000000000001"
USAGE = TokenUsage(10, 5, 3)


def write(
    *events: StreamEvent | Finished, thinking: ThinkingDisplay = "text", max_tokens: int | None = None
) -> list[Event]:
    written = list(translate(events, MessageWriter(base_message("gpt-oss", TURN), thinking, max_tokens)))
    check_events(written)
    check_message(accumulate(written))
    return written


def content(*events: StreamEvent | Finished, thinking: ThinkingDisplay = "text") -> Any:
    return accumulate(write(*events, thinking=thinking))["content"]


def reasoning(text: str, part: int = 0) -> StreamEvent:
    return StreamEvent("reasoning", text, part_index=part)


def text(text: str, part: int = 2, **options: Any) -> StreamEvent:
    return StreamEvent("text", text, part_index=part, **options)


def call(name: str, arguments: str, id: str) -> list[StreamEvent]:
    return [
        StreamEvent("tool_call_name", name, part_index=4, tool_call_id=id),
        StreamEvent("tool_call_args", arguments, part_index=4, tool_call_id=id),
    ]


def done(reason: str = "stop") -> Finished:
    return Finished(reason, USAGE)


def thinking_block(text: str, signed: str | None = None) -> dict[str, str]:
    signature = to_encrypted_content(text if signed is None else signed)
    return {"type": "thinking", "thinking": text, "signature": signature}


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": None}


def test_every_event_of_a_message() -> None:
    def delta(index: int, type: str, **value: str) -> Event:
        return {"type": "content_block_delta", "index": index, "delta": {"type": type, **value}}

    def start(index: int, **block: Any) -> Event:
        return {"type": "content_block_start", "index": index, "content_block": block}

    usage = usage_json(USAGE)
    signature = to_encrypted_content("Let me see.")
    events = (reasoning("Let me "), reasoning("see."), text("It is "), text("sunny."))
    assert write(*events, *call("look", '{"at": "it"}', "call_1"), done("tool_calls")) == [
        {"type": "message_start", "message": base_message("gpt-oss", TURN)},
        {"type": "ping"},
        start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Let me "),
        delta(0, "thinking_delta", thinking="see."),
        delta(0, "signature_delta", signature=signature),
        {"type": "content_block_stop", "index": 0},
        start(1, type="text", text="", citations=None),
        delta(1, "text_delta", text="It is "),
        delta(1, "text_delta", text="sunny."),
        {"type": "content_block_stop", "index": 1},
        start(2, type="tool_use", id="call_1", name="look", input={}),
        delta(2, "input_json_delta", partial_json='{"at": "it"}'),
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": usage,
        },
        {"type": "message_stop"},
    ]


def test_usage() -> None:
    assert usage_json(USAGE) == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_the_message_that_the_events_add_up_to() -> None:
    events = write(reasoning("Hm."), text("Hi."), *call("add", '{"a": 1}', "call_1"), done("tool_calls"))
    assert accumulate(events) == {
        **base_message("gpt-oss", TURN),
        "id": f"msg_{TURN}",
        "content": [
            thinking_block("Hm."),
            text_block("Hi."),
            {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": usage_json(USAGE),
    }


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        pytest.param("text", [thinking_block("Hm."), text_block("Hi.")], id="text"),
        pytest.param("signature", [thinking_block("", signed="Hm."), text_block("Hi.")], id="signature"),
        pytest.param("none", [text_block("Hi.")], id="none"),
    ],
)
def test_thinking_is_shown_as_the_client_asks(display: ThinkingDisplay, expected: Any) -> None:
    assert content(reasoning("Hm."), text("Hi."), done(), thinking=display) == expected


BLOCKS: list[Any] = [
    pytest.param([done()], [], id="nothing"),
    pytest.param([reasoning(""), text(""), done()], [], id="empty texts"),
    pytest.param(
        [reasoning("a", 0), reasoning("b", 2), done()],
        [thinking_block("a"), thinking_block("b")],
        id="two thoughts",
    ),
    pytest.param(
        [
            text("Look.", 0, provider_metadata=PREAMBLE),
            text("\n\n", 1, provider_metadata=SEPARATOR),
            text("Hi."),
            done(),
        ],
        [text_block("Look.\n\nHi.")],
        id="two texts are one block",
    ),
    pytest.param(
        [
            text("Look.", 0, provider_metadata=PREAMBLE),
            reasoning("Hm.", 2),
            text("\n\n", 3, provider_metadata=SEPARATOR),
            text("Hi.", 4),
            done(),
        ],
        [text_block("Look."), thinking_block("Hm."), text_block("Hi.")],
        id="no blank line at the beginning of a block",
    ),
    pytest.param(
        [*call("a", "{}", "call_1"), *call("a", "{}", "call_2"), done("tool_calls")],
        [
            {"type": "tool_use", "id": "call_1", "name": "a", "input": {}},
            {"type": "tool_use", "id": "call_2", "name": "a", "input": {}},
        ],
        id="two calls",
    ),
    pytest.param(
        [*call("a", "", "call_1"), done("tool_calls")],
        [{"type": "tool_use", "id": "call_1", "name": "a", "input": {}}],
        id="another plugin's call without arguments",
    ),
]


@pytest.mark.parametrize(("events", "expected"), BLOCKS)
def test_content_blocks(events: list[Any], expected: Any) -> None:
    assert content(*events) == expected


@pytest.mark.parametrize(
    ("reason", "max_tokens", "expected"),
    [
        pytest.param("stop", 5, "end_turn", id="end"),
        pytest.param("tool_calls", 5, "tool_use", id="calls"),
        pytest.param("content_filter", 5, "refusal", id="refusal"),
        pytest.param("length", 5, "max_tokens", id="limit"),
        pytest.param("length", 6, "model_context_window_exceeded", id="full context"),
        pytest.param("length", None, "model_context_window_exceeded", id="full context without a limit"),
    ],
)
def test_stop_reasons(reason: str, max_tokens: int | None, expected: str) -> None:
    assert accumulate(write(done(reason), max_tokens=max_tokens))["stop_reason"] == expected


def test_an_event_that_no_message_can_hold() -> None:
    with pytest.raises(TypeError):
        write(StreamEvent("tool_result", "x"))


EVENTS = st.one_of(
    st.builds(reasoning, st.text(max_size=3), st.sampled_from([0, 2])),
    st.builds(text, st.text(max_size=3), st.sampled_from([0, 2])),
    st.builds(text, st.just("\n\n"), provider_metadata=st.just(SEPARATOR)),
).map(lambda event: [event]) | st.sampled_from([call("a", "{}", "call_1")])


@given(st.lists(EVENTS, max_size=8), st.sampled_from(["text", "signature", "none"]))
def test_blocks_open_and_close_in_order(parts: list[list[StreamEvent]], display: ThinkingDisplay) -> None:
    events = write(*(event for part in parts for event in part), done(), thinking=display)
    opened: int | None = None
    count = 0
    for event in events:
        match event:
            case {"type": "content_block_start", "index": index}:
                assert (opened, index) == (None, count)
                opened, count = index, count + 1
            case {"type": "content_block_delta", "index": index}:
                assert index == opened
            case {"type": "content_block_stop", "index": index}:
                assert index == opened
                opened = None
    assert opened is None
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
