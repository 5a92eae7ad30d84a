"Chunks and completions, checked with the SDK's types."

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import Message, StreamEvent
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion_message import FunctionCall
from openai.types.completion_usage import CompletionUsage
from pydantic import ValidationError
from support.openai_types import unknown_keys

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.events import AnswerEvent
from proxy.api.chat_completions.writer import (
    REASONING_NAMES,
    ChatWriter,
    Chunk,
    accumulate,
    base_chunk,
    usage_json,
)
from proxy.generation import Finished, GenerationRequest, TokenUsage

TURN = "01hf7yat000000000000000001"
ASK = GenerationRequest(
    "/v1/chat/completions", "gpt-oss", (Message("user", []),), custom_tools=frozenset({"patch"})
)
HEAD = {
    "id": f"chatcmpl-{TURN}",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "gpt-oss",
    "service_tier": "default",
    "system_fingerprint": None,
}
ROLE = {"role": "assistant", "content": "", "refusal": None}
USAGE = TokenUsage(10, 5, 3)
COUNTED = usage_json([USAGE])


def write(
    *events: StreamEvent | Finished,
    index: int = 0,
    reasoning_names: Collection[str] = REASONING_NAMES,
    as_function_call: bool = False,
) -> list[Chunk]:
    base = base_chunk(ASK.model, TURN)
    writer = ChatWriter(
        base,
        ASK.custom_tools,
        index,
        reasoning_names=reasoning_names,
        as_function_call=as_function_call,
    )
    return list(translate(events, writer))


def deltas(*events: StreamEvent | Finished, **options: Any) -> list[Any]:
    "The deltas after the first one."
    first, *rest = [chunk["choices"][0]["delta"] for chunk in write(*events, **options)]
    assert first == ROLE
    return rest


def done(reason: str = "stop") -> Finished:
    return Finished(reason, USAGE)


def think(text: str) -> StreamEvent:
    return StreamEvent("reasoning", text)


def thought(text: str) -> dict[str, str]:
    "The fields for reasoning."
    return {"reasoning": text, "reasoning_content": text}


def say(text: str, *logprobs: Logprob) -> StreamEvent:
    return AnswerEvent("text", text, logprobs=logprobs)


def call(name: str, arguments: str, call_id: str = "call_1") -> list[StreamEvent]:
    return [
        StreamEvent("tool_call_name", name, tool_call_id=call_id),
        StreamEvent("tool_call_args", arguments, tool_call_id=call_id),
    ]


def call_delta(name: str, call_id: str = "call_1", index: int = 0) -> dict[str, Any]:
    function = {"name": name, "arguments": ""}
    return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}


def arguments_delta(arguments: str, index: int = 0) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


PATCHED = [
    {
        "tool_calls": [
            {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "patch", "input": ""}}
        ]
    },
    {"tool_calls": [{"index": 0, "custom": {"input": "***"}}]},
]
HM = Logprob("Hm", -0.5, (72, 109), (Logprob("Hm", -0.5, (72, 109)), Logprob("Ah", -1.5)))


# Chunks


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([say("Hi"), say("!"), done()], [{"content": "Hi"}, {"content": "!"}, {}], id="text"),
        pytest.param([think("hm"), say("Hi")], [thought("hm"), {"content": "Hi"}], id="reasoning"),
        pytest.param(
            [StreamEvent("text", "So:"), *call("add", "{}")],
            [{"content": "So:"}, call_delta("add"), arguments_delta("{}")],
            id="a preamble and a call",
        ),
        pytest.param(
            [*call("add", '{"a":1}'), *call("add", '{"a":2}', "call_2"), done("tool_calls")],
            [
                call_delta("add"),
                arguments_delta('{"a":1}'),
                call_delta("add", "call_2", 1),
                arguments_delta('{"a":2}', 1),
                {},
            ],
            id="two calls",
        ),
        pytest.param(call("add", ""), [call_delta("add"), arguments_delta("{}")], id="no arguments"),
        pytest.param(call("patch", '{"input":"***"}'), PATCHED, id="custom"),
        pytest.param([done("length")], [{}], id="nothing"),
    ],
)
def test_deltas(events: list[StreamEvent | Finished], expected: list[Any]) -> None:
    assert deltas(*events) == expected


@pytest.mark.parametrize("arguments", ['{"text":"***"}', '{"input":1}', "{}"])
def test_custom_call_with_other_arguments(arguments: str) -> None:
    *_, last = deltas(*call("patch", arguments))
    assert last == {"tool_calls": [{"index": 0, "custom": {"input": arguments}}]}


def test_function_calls() -> None:
    "As OpenAI's API answers to `functions`."
    events = [think("hm"), *call("add", '{"a":1}'), done("tool_calls")]
    chunks = write(*events, as_function_call=True)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[2:]] == [
        {"function_call": {"name": "add", "arguments": ""}},
        {"function_call": {"arguments": '{"a":1}'}},
        {},
    ]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    (choice,) = ChatCompletion.model_validate(accumulate(chunks, COUNTED), strict=True).choices
    assert (choice.finish_reason, choice.message.content) == ("function_call", None)
    assert choice.message.function_call == FunctionCall(name="add", arguments='{"a":1}')


def test_answer_without_a_function_call() -> None:
    (choice,) = accumulate(write(say("Hi"), done(), as_function_call=True), COUNTED)["choices"]
    assert (choice["finish_reason"], choice["message"]) == ("stop", message(content="Hi"))


def test_function_call_without_arguments() -> None:
    chunks = write(*call("add", ""), done("tool_calls"), as_function_call=True)
    (choice,) = accumulate(chunks, COUNTED)["choices"]
    assert choice["message"]["function_call"] == {"name": "add", "arguments": "{}"}


def test_hidden_reasoning() -> None:
    assert deltas(think("hm"), say("Hi"), done(), reasoning_names=()) == [{"content": "Hi"}, {}]


def test_unknown_events() -> None:
    with pytest.raises(TypeError, match="tool_result"):
        write(StreamEvent("tool_result", "2"))


def test_log_probabilities() -> None:
    _, chunk = write(say("Hm", HM))
    spelled = {"token": "Hm", "logprob": -0.5, "bytes": [72, 109]}
    alternatives = [spelled, {"token": "Ah", "logprob": -1.5, "bytes": None}]
    expected = {"content": [{**spelled, "top_logprobs": alternatives}], "refusal": None}
    assert chunk["choices"][0]["logprobs"] == expected


def test_top_logprobs_may_be_empty() -> None:
    _, chunk = write(say("Hm", Logprob("Hm", -0.5)))
    assert chunk["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_empty_texts() -> None:
    assert deltas(think(""), say(""), say("Hi")) == [{"content": "Hi"}]


def test_chunk() -> None:
    chunk = {"index": 2, "delta": ROLE, "logprobs": None, "finish_reason": None}
    assert write(say("Hi"), index=2)[0] == {**HEAD, "choices": [chunk]}


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls"])
def test_finish_reason_comes_last(reason: str) -> None:
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in write(say("Hi"), done(reason))]
    assert reasons == [None, None, reason]


# The answer


def answer(*events: StreamEvent | Finished) -> dict[str, Any]:
    return accumulate(write(*events), COUNTED)


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "refusal": None, "annotations": [], **fields}


def test_accumulated_completion() -> None:
    choice = {"index": 0, "message": message(content="Hi!"), "logprobs": None, "finish_reason": "stop"}
    assert answer(say("Hi"), say("!"), done()) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [choice],
        "usage": COUNTED,
    }


CALLED = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WROTE = {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "***"}}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([think("h"), think("m"), say("Hi")], {"content": "Hi", **thought("hm")}, id="reasoning"),
        pytest.param(call("add", '{"a":1}'), {"tool_calls": [CALLED]}, id="a call"),
        pytest.param(
            [say("So:"), *call("add", '{"a":1}'), *call("add", '{"a":1}', "call_2")],
            {"content": "So:", "tool_calls": [CALLED, {**CALLED, "id": "call_2"}]},
            id="text and calls",
        ),
        pytest.param(call("patch", '{"input":"***"}'), {"tool_calls": [WROTE]}, id="a custom call"),
        pytest.param([], {"content": ""}, id="nothing: a text all the same"),
        pytest.param([think("hm")], {"content": "", **thought("hm")}, id="reasoning only"),
    ],
)
def test_messages(events: list[StreamEvent], expected: dict[str, Any]) -> None:
    assert answer(*events, done())["choices"][0]["message"] == message(**expected)


def test_accumulated_logprobs() -> None:
    (choice,) = answer(say("Hm", HM), say("?"), say("Hm", HM), done())["choices"]
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["Hm", "Hm"]


def test_several_choices() -> None:
    chunks = [*write(say("a"), done()), *write(say("b"), done("length"), index=1)]
    choices = accumulate(chunks, COUNTED)["choices"]
    assert [(part["index"], part["message"]["content"], part["finish_reason"]) for part in choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


def test_usage() -> None:
    counted = usage_json([TokenUsage(10, 5, 3), TokenUsage(10, 7, 4)])
    assert (counted["prompt_tokens"], counted["completion_tokens"], counted["total_tokens"]) == (10, 12, 22)
    assert counted["completion_tokens_details"]["reasoning_tokens"] == 7
    assert counted["prompt_tokens_details"]["cached_tokens"] == 0
    assert list(unknown_keys(CompletionUsage.model_validate(counted, strict=True))) == []


def test_usage_without_choices() -> None:
    assert usage_json([])["total_tokens"] == 0


# OpenAI's types


TEXTS = st.text(min_size=1, max_size=5)
LOGPROB = st.builds(
    Logprob, TEXTS, st.floats(-9, 0), st.none() | st.just((1, 2)), st.just((Logprob("x", -1.0),))
)
SAID = st.builds(think, TEXTS) | st.builds(say, TEXTS) | st.builds(say, TEXTS, LOGPROB)
CALLS = st.lists(
    st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=2).map(lambda value: json.dumps(value)), max_size=3
)


@st.composite
def turns(draw: st.DrawFn) -> list[StreamEvent | Finished]:
    events = draw(st.lists(SAID, max_size=6))
    calls = [call("add", arguments, f"call_{number}") for number, arguments in enumerate(draw(CALLS))]
    reason = "tool_calls" if calls else draw(st.sampled_from(["stop", "length"]))
    return [*events, *(event for part in calls for event in part), done(reason)]


@given(turns())
def test_chunks_match_the_sdk(events: list[StreamEvent | Finished]) -> None:
    for chunk in write(*events):
        assert set(unknown_keys(ChatCompletionChunk.model_validate(chunk, strict=True))) <= {
            "ChoiceDelta.reasoning",
            "ChoiceDelta.reasoning_content",
        }


@given(turns())
def test_completions_match_the_sdk(events: list[StreamEvent | Finished]) -> None:
    typed = ChatCompletion.model_validate(answer(*events), strict=True)
    assert set(unknown_keys(typed)) <= {
        "ChatCompletionMessage.reasoning",
        "ChatCompletionMessage.reasoning_content",
    }


def calls_of(message: ChatCompletionMessage) -> list[tuple[str, str, str]]:
    calls: Any = message.tool_calls or ()
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


@given(turns(), turns())
def test_the_sdk_accumulates_the_same_completion(
    first: list[StreamEvent | Finished], second: list[StreamEvent | Finished]
) -> None:
    chunks = [*write(*first), *write(*second, index=1)]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    theirs = state.current_completion_snapshot.choices
    ours = ChatCompletion.model_validate(accumulate(chunks, COUNTED)).choices
    for their, our in zip(theirs, ours, strict=True):
        assert (their.message.content or "") == (our.message.content or "")
        for name in REASONING_NAMES:
            assert their.message.to_dict().get(name) == our.message.to_dict().get(name)
        assert calls_of(their.message) == calls_of(our.message)
        assert their.finish_reason == our.finish_reason
        assert their.logprobs == our.logprobs


def test_the_sdk_has_no_chunks_with_custom_calls_yet() -> None:
    "When a new SDK has them, this fails: check chunks with custom calls like all others then."
    _, name, _ = write(*call("patch", '{"input":"***"}'))
    with pytest.raises(ValidationError) as caught:
        ChatCompletionChunk.model_validate(name)
    assert [error["loc"][-1] for error in caught.value.errors()] == ["type"]


def test_the_sdk_has_custom_calls_in_completions() -> None:
    whole = answer(*call("patch", '{"input":"***"}'), done("tool_calls"))
    assert list(unknown_keys(ChatCompletion.model_validate(whole, strict=True))) == []
