"Events and responses, checked with the SDK's types."

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import StreamEvent
from support.harmony_text import (
    COMPLETED_AT,
    CUSTOM,
    USAGE,
    announce,
    blank_line,
    call,
    done,
    say,
    think,
    turns,
)
from support.openai_types import check_events

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.streaming import translate
from proxy.api.responses import response_object
from proxy.api.responses.writer import ResponsesWriter
from proxy.generation import Finished
from proxy.http.errors import ApiError
from proxy.items.encrypted_content import to_encrypted_content

TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"
NO = ApiError(502, "The engine is gone.", "server_error")

Events = list[dict[str, Any]]


def response(**body: Any) -> dict[str, Any]:
    return response_object.new_response(body, id=f"resp_{TURN}", created_at=1_700_000_000, model="gpt-oss")


def writer(body: dict[str, Any] | None = None, **options: Any) -> ResponsesWriter:
    return ResponsesWriter(response(**body or {}), TURN, custom_tools=CUSTOM, **options)


def write(*turn_events: StreamEvent | Finished, body: dict[str, Any] | None = None, **options: Any) -> Events:
    responses_writer = writer(body, **options)
    return [*responses_writer.begin(), *translate(turn_events, responses_writer)]


def events_of_items(*turn_events: StreamEvent | Finished, **options: Any) -> Events:
    "The events of items, without sequence numbers, which have their own test."
    return [
        {key: value for key, value in event.items() if key != "sequence_number"}
        for event in write(*turn_events, **options)
        if "response" not in event
    ]


def id_of(prefix: str, index: int = 0) -> str:
    return f"{prefix}_{TURN}_{index}"


# An item and all its events


def item_events(item: dict[str, Any], empty: dict[str, Any], between: Events, index: int = 0) -> Events:
    at = {"item_id": item["id"], "output_index": index}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": empty},
        *({**event, **at} for event in between),
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def output_text(text: str = "", logprobs: Events | None = None) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def message(text: str = "", phase: str = "final_answer", index: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": id_of("msg", index),
        "type": "message",
        "role": "assistant",
        "status": "completed" if text else "in_progress",
        "phase": phase,
        "content": [output_text(text)] if text else [],
        **more,
    }


def texts(*deltas: str) -> Events:
    text, at = "".join(deltas), {"content_index": 0}
    return [
        {"type": "response.content_part.added", **at, "part": output_text()},
        *({"type": "response.output_text.delta", **at, "delta": delta, "logprobs": []} for delta in deltas),
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": output_text(text)},
    ]


def reasoning(text: str = "", **more: Any) -> dict[str, Any]:
    return {
        "id": id_of("rs"),
        "type": "reasoning",
        "status": "completed" if text else "in_progress",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": text}] if text else [],
        **more,
    }


def thoughts(*deltas: str, name: str = "response.reasoning_text") -> Events:
    text, at = "".join(deltas), {"content_index": 0}
    return [
        {"type": "response.content_part.added", **at, "part": {"type": "reasoning_text", "text": ""}},
        *({"type": f"{name}.delta", **at, "delta": delta} for delta in deltas),
        {"type": f"{name}.done", **at, "text": text},
        {"type": "response.content_part.done", **at, "part": {"type": "reasoning_text", "text": text}},
    ]


def summaries(*deltas: str) -> Events:
    text, at, name = "".join(deltas), {"summary_index": 0}, "response.reasoning_summary"
    return [
        {"type": f"{name}_part.added", **at, "part": {"type": "summary_text", "text": ""}},
        *({"type": f"{name}_text.delta", **at, "delta": delta} for delta in deltas),
        {"type": f"{name}_text.done", **at, "text": text},
        {"type": f"{name}_part.done", **at, "part": {"type": "summary_text", "text": text}},
    ]


def call_events(item_type: str, key: str, text: str, **name: str) -> Events:
    prefix, events = {
        "function_call": ("fc", "response.function_call_arguments"),
        "custom_tool_call": ("ctc", "response.custom_tool_call_input"),
    }[item_type]
    item = {"id": id_of(prefix), "type": item_type, "call_id": "call_0", **name}
    own = {"name": name["name"]} if item_type == "function_call" else {}
    return item_events(
        {**item, "status": "completed", key: text},
        {**item, "status": "in_progress", key: ""},
        [{"type": f"{events}.delta", "delta": text}, {"type": f"{events}.done", key: text, **own}],
    )


SUMMARY = [{"type": "summary_text", "text": "hm"}]


@pytest.mark.parametrize(
    ("events", "options", "expected"),
    [
        pytest.param(
            say(0, "Hi", "!"), {}, item_events(message("Hi!"), message(), texts("Hi", "!")), id="answer"
        ),
        pytest.param(
            announce(0, "So:"),
            {},
            item_events(message("So:", "commentary"), message(phase="commentary"), texts("So:")),
            id="preamble",
        ),
        pytest.param(
            think(0, "h", "m"),
            {},
            item_events(reasoning("hm"), reasoning(), thoughts("h", "m")),
            id="reasoning",
        ),
        pytest.param(
            think(0, "h", "m"),
            {"open_responses": True},
            item_events(reasoning("hm"), reasoning(), thoughts("h", "m", name="response.reasoning")),
            id="reasoning under Open Responses' names",
        ),
        pytest.param(
            think(0, "h", "m"),
            {"reasoning": "summary"},
            item_events(reasoning("hm", content=[], summary=SUMMARY), reasoning(), summaries("h", "m")),
            id="reasoning as a summary",
        ),
        pytest.param(
            think(0, "hm"),
            {"reasoning": "both"},
            item_events(
                reasoning("hm", summary=SUMMARY),
                reasoning(),
                [item for pair in zip(thoughts("hm")[:2], summaries("hm")[:2], strict=True) for item in pair]
                + [*thoughts("hm")[2:], *summaries("hm")[2:]],
            ),
            id="reasoning as both",
        ),
        pytest.param(
            think(0, "hm"),
            {"include_encrypted": True},
            item_events(
                reasoning("hm", encrypted_content=to_encrypted_content("hm")), reasoning(), thoughts("hm")
            ),
            id="reasoning to be sent back as a token",
        ),
        pytest.param(
            call(0, "add", '{"a": 1}'),
            {},
            call_events("function_call", "arguments", '{"a": 1}', name="add"),
            id="call, as it was written",
        ),
        pytest.param(
            call(0, "add", " "),
            {},
            call_events("function_call", "arguments", "{}", name="add"),
            id="no arguments",
        ),
        pytest.param(
            call(0, "crm.find"),
            {},
            call_events("function_call", "arguments", "{}", name="find", namespace="crm"),
            id="namespace",
        ),
        pytest.param(
            call(0, "patch", '{"input":"*** é"}'),
            {},
            call_events("custom_tool_call", "input", "*** é", name="patch"),
            id="custom call",
        ),
        pytest.param(
            call(0, "files.patch", '{"input":""}'),
            {},
            call_events("custom_tool_call", "input", "", name="patch", namespace="files"),
            id="custom call in a namespace",
        ),
        pytest.param(
            call(0, "patch", '{"text":"x"}'),
            {},
            call_events("custom_tool_call", "input", '{"text":"x"}', name="patch"),
            id="custom call with other arguments",
        ),
        pytest.param(
            [
                StreamEvent("tool_call_name", "add", 0, "call_0"),
                *(StreamEvent("tool_call_args", piece, 0, "call_0") for piece in ("", '{"a"', ":1}")),
            ],
            {},
            call_events("function_call", "arguments", '{"a":1}', name="add"),
            id="arguments in pieces",
        ),
        pytest.param(
            [*say(0, "a"), blank_line(1), *say(1, "b")],
            {},
            [
                *item_events(message("a"), message(), texts("a")),
                *item_events(message("b", index=1), message(index=1), texts("b"), 1),
            ],
            id="two answers, and nothing between",
        ),
        pytest.param([*think(0, ""), *say(1, "")], {}, [], id="nothing"),
        pytest.param(
            [*say(0, "", "Hi", "")], {}, item_events(message("Hi"), message(), texts("Hi")), id="empty deltas"
        ),
    ],
)
def test_items(events: list[StreamEvent], options: dict[str, Any], expected: Events) -> None:
    actual = events_of_items(*events, done(), **options)
    assert [event["type"] for event in actual] == [event["type"] for event in expected]
    for event, expected_event in zip(actual, expected, strict=True):
        assert event == expected_event


def test_items_are_numbered_in_order() -> None:
    turn_events = [
        *think(0, "hm"),
        *announce(1, "So:"),
        *call(2, "add"),
        *call(3, "patch"),
        done("tool_calls"),
    ]
    output = write(*turn_events)[-1]["response"]["output"]
    assert [item["id"] for item in output] == [
        id_of("rs", 0),
        id_of("msg", 1),
        id_of("fc", 2),
        id_of("ctc", 3),
    ]


def test_parallel_tool_calls_off() -> None:
    turn_events = [*say(0, "So:"), *call(1, "add"), *call(2, "add"), done("tool_calls")]
    output = write(*turn_events, body={"parallel_tool_calls": False})[-1]["response"]["output"]
    assert [item.get("call_id") for item in output] == [None, "call_1"]


def test_log_probabilities() -> None:
    alternatives = (Logprob("Hm", -0.5, (72, 109)), Logprob("é", -1.5))
    turn_events = [*say(0, "Hm", logprobs=(Logprob("Hm", -0.5, (72, 109), alternatives),)), *say(0, "?")]
    _, _, delta, other, all_of_it, part, item = events_of_items(*turn_events, done())
    token = {"token": "Hm", "logprob": -0.5, "bytes": [72, 109]}
    # The type wants bytes, also where the engine tells none.
    rival = {"token": "é", "logprob": -1.5, "bytes": [195, 169]}
    expected = [{**token, "top_logprobs": [token, rival]}]
    assert (delta["logprobs"], other["logprobs"]) == (expected, [])
    assert all_of_it["logprobs"] == part["part"]["logprobs"] == expected
    assert item["item"]["content"] == [part["part"]]


@pytest.mark.parametrize("item_type", ["tool_result", "image"])
def test_unknown_events(item_type: str) -> None:
    with pytest.raises(TypeError, match=item_type):
        write(StreamEvent(item_type, "2"))


@pytest.mark.parametrize(
    "before", [say(0, "Hi"), call(0, "add"), []], ids=["text", "another call", "nothing"]
)
def test_arguments_without_a_call(before: list[StreamEvent]) -> None:
    responses_writer = writer()
    events = [*responses_writer.begin(), *translate(before, responses_writer)]
    with pytest.raises(TypeError, match="arguments"):
        events += responses_writer.feed(StreamEvent("tool_call_args", "{}", 2, "call_1"))
    check_stream([*events, *responses_writer.failed(NO)])


# The turn


def stages(events: Events) -> list[tuple[str, str]]:
    return [(event["type"], event["response"]["status"]) for event in events if "response" in event]


BEGUN = [("response.created", "in_progress"), ("response.in_progress", "in_progress")]


@pytest.mark.parametrize(
    ("reason", "last"),
    [
        ("stop", ("response.completed", "completed")),
        ("tool_calls", ("response.completed", "completed")),
        ("length", ("response.incomplete", "incomplete")),
    ],
)
def test_stages(reason: str, last: tuple[str, str]) -> None:
    assert stages(write(*say(0, "Hi"), done(reason))) == [*BEGUN, last]


def test_stages_of_a_background_response() -> None:
    assert stages(write(done(), body={"background": True})) == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
        ("response.completed", "completed"),
    ]


def test_completed_response() -> None:
    body = {"instructions": "Be brief.", "metadata": {"a": "b"}}
    *_, last = write(*say(0, "Hi"), done(), body=body)
    assert last["response"] == response_object.as_completed(
        response(**body), [message("Hi")], USAGE, COMPLETED_AT
    )


def test_max_output_tokens() -> None:
    *_, item, last = write(*think(0, "hm"), *say(1, "Hi"), done("length"))
    assert item["item"]["status"] == "incomplete"
    assert [item["status"] for item in last["response"]["output"]] == ["completed", "incomplete"]
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["completed_at"] is None


def test_failed_response() -> None:
    responses_writer = writer()
    events = [
        *responses_writer.begin(),
        *translate([*think(0, "hm"), *say(1, "Hi")], responses_writer),
        *responses_writer.failed(NO),
    ]
    check_stream(events)
    assert stages(events) == [*BEGUN, ("response.failed", "failed")]
    failed_response = events[-1]["response"]
    assert [item["status"] for item in failed_response["output"]] == ["completed", "incomplete"]
    assert failed_response["error"] == {"code": "server_error", "message": "The engine is gone."}


def test_failed_before_any_output() -> None:
    responses_writer = writer()
    events = [*responses_writer.begin(), *responses_writer.failed(NO)]
    check_stream(events)
    assert events[-1]["response"]["output"] == []


def test_cancelled_response() -> None:
    responses_writer = writer({"background": True})
    events = [
        *responses_writer.begin(),
        *translate(say(0, "Hi"), responses_writer),
        *responses_writer.cancelled(),
    ]
    check_stream(events)
    assert stages(events)[-1] == ("response.incomplete", "cancelled")
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["incomplete"]


@pytest.mark.parametrize(
    ("arguments", "status"), [("{}", "completed"), ('{"a', "incomplete"), ("", "incomplete")]
)
def test_complete_calls_of_an_interrupted_turn(arguments: str, status: str) -> None:
    responses_writer = writer()
    turn_events = [
        StreamEvent("tool_call_name", "add", 0, "call_0"),
        StreamEvent("tool_call_args", arguments, 0, "call_0"),
    ]
    *_, last = [
        *responses_writer.begin(),
        *translate(turn_events, responses_writer),
        *responses_writer.failed(NO),
    ]
    assert [item["status"] for item in last["response"]["output"]] == [status]


# OpenAI's types, and the lifecycle that its SDK insists on

# Required by Open Responses or by OpenAI's description of the API, or on items of the log only.
TERMINAL = ("response.completed", "response.incomplete", "response.failed")
TEXT_KEYS = ("text", "arguments", "input")


def check_stream(events: Events) -> None:
    "Checks every rule of a stream of events."
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    assert [event["type"] in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
    assert events[0]["type"] == "response.created"
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1
    finished = []
    under_way: Events = []
    for event in events:
        if "output_index" in event:
            assert event["output_index"] == len(finished)
            under_way.append(event)
        else:
            assert not under_way
        if event["type"] == "response.output_item.done":
            finished.append(check_item(under_way))
            under_way = []
    assert events[-1]["response"]["output"] == finished
    json.dumps(events, allow_nan=False)
    check_events(events)


def check_item(events: Events) -> dict[str, Any]:
    added, *between, done = events
    assert added["type"] == "response.output_item.added"
    assert added["item"]["status"] == "in_progress"
    item: dict[str, Any] = done["item"]
    assert added["item"]["id"] == item["id"]
    assert {event["item_id"] for event in between} == {item["id"]}
    for name in {event["type"].rpartition(".")[0] for event in between if "delta" in event}:
        deltas = [event["delta"] for event in between if event["type"] == f"{name}.delta"]
        (whole,) = [event for event in between if event["type"] == f"{name}.done"]
        (text,) = [whole[key] for key in TEXT_KEYS if key in whole]
        assert "".join(deltas) == text
        assert text in (item.get("arguments"), item.get("input"), *parts(item))
    return item


def parts(item: dict[str, Any]) -> list[str]:
    return [part["text"] for part in [*item.get("content", ()), *item.get("summary", ())]]


HOW = st.fixed_dictionaries(
    {"reasoning": st.sampled_from(["text", "summary", "both"]), "include_encrypted": st.booleans()}
)


@given(turns(), st.sampled_from(["stop", "tool_calls", "length"]), HOW, st.booleans())
def test_any_turn(
    turn_events: list[StreamEvent], reason: str, options: dict[str, Any], background: bool
) -> None:
    events = write(*turn_events, done(reason), body={"background": background}, **options)
    check_stream(events)
    assert stages(events)[-1][1] == ("incomplete" if reason == "length" else "completed")


@given(turns(), st.integers(0, 20), st.booleans())
def test_any_interrupted_turn(turn_events: list[StreamEvent], end: int, fails: bool) -> None:
    responses_writer = writer()
    events = [
        *responses_writer.begin(),
        *translate(turn_events[:end], responses_writer),
        *(responses_writer.failed(NO) if fails else responses_writer.cancelled()),
    ]
    check_stream(events)
    assert stages(events)[-1][1] == ("failed" if fails else "cancelled")


@given(turns())
def test_open_responses_differs_only_in_names(turn_events: list[StreamEvent]) -> None:
    theirs = write(*turn_events, done(), open_responses=True)
    renamed = [
        {**event, "type": event["type"].replace("response.reasoning.", "response.reasoning_text.")}
        for event in theirs
    ]
    assert renamed == write(*turn_events, done())


@given(turns())
def test_no_text_is_lost(turn_events: list[StreamEvent]) -> None:
    output = write(*turn_events, done())[-1]["response"]["output"]
    assert "".join(text for item in output for text in parts(item)) == "".join(
        event.chunk
        for event in turn_events
        if event.type in ("text", "reasoning") and event.part_index is not None and event.part_index % 2 == 0
    )
