from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart

from proxy.api.ollama.reader import ChatReader
from proxy.generation import GenerationRequest

USER = Message("user", [TextPart("Hi")])
ASK = GenerationRequest("/api/chat", "x", (USER,), options={"seed": 1}, stream=True)
END = {"model": "x:latest", "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 3}


def body(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def line(**message: Any) -> dict[str, Any]:
    return {"model": "x:latest", "message": {"role": "assistant", **message}, "done": False}


def call(name: str, call_id: str | None = None, **arguments: Any) -> dict[str, Any]:
    return {**({"id": call_id} if call_id else {}), "function": {"name": name, "arguments": arguments}}


def read(*pieces: bytes) -> ChatReader:
    reader = ChatReader(lambda: 0.0)
    for piece in pieces:
        list(reader.feed(piece))
    list(reader.finish())
    return reader


def answer(reader: ChatReader) -> list[Message]:
    return list(reader.response(ASK, ASK.messages).messages())


@pytest.mark.parametrize(
    ("lines", "parts", "reason"),
    [
        pytest.param([line(content="a"), line(content="b"), END], [TextPart("ab")], "stop", id="text"),
        pytest.param(
            [line(content="", thinking="h"), line(content="", thinking="m"), line(content="a"), END],
            [ReasoningPart("hm"), TextPart("a")],
            "stop",
            id="reasoning",
        ),
        pytest.param(
            [line(content="", tool_calls=[call("f", "c1", a="ü")]), END],
            [ToolCallPart("f", {"a": "ü"}, "c1")],
            "tool_calls",
            id="call",
        ),
        pytest.param(
            [{**line(content="", tool_calls=[call("f", a=1), call("f", a=2)]), **END}],
            [ToolCallPart("f", {"a": 1}), ToolCallPart("f", {"a": 2})],
            "tool_calls",
            id="calls without ids, in the last line",
        ),
        pytest.param(
            [{"response": "a", "thinking": "h"}, END],
            [ReasoningPart("h"), TextPart("a")],
            "stop",
            id="generate",
        ),
        pytest.param(
            [line(content="a"), {**END, "done_reason": "length"}], [TextPart("a")], "length", id="cut"
        ),
        pytest.param([END], [], "stop", id="nothing"),
    ],
)
def test_answers(lines: list[Any], parts: list[Any], reason: str) -> None:
    reader = read(body(*lines))
    assert [part for message in answer(reader) for part in message.parts] == parts
    assert (reader.finish_reason, reader.error) == (reason, None)


def test_bytes_may_be_cut_anywhere() -> None:
    complete = body(line(content="", thinking="hm"), line(content="\u0085ü"), END)
    expected = answer(read(complete))
    for size in range(1, len(complete)):
        pieces = [complete[at : at + size] for at in range(0, len(complete), size)]
        assert answer(read(*pieces)) == expected


def test_answer_without_a_final_line_break() -> None:
    reader = read(json.dumps({**line(content="a"), **END}).encode())
    assert answer(reader) == [Message("assistant", [TextPart("a")])]
    assert reader.error is None


def test_response_for_the_log() -> None:
    seconds = iter([10.0, 10.25, 5010.0])
    reader = ChatReader(lambda: next(seconds))
    list(reader.feed(body(line(content=""), line(content="a"))))
    assert reader.first_ms == 250
    list(reader.feed(body(END)))
    list(reader.finish())
    longer = [Message("system", [TextPart("Be brief")]), USER]
    turn = reader.response(ASK, longer)
    assert turn.prompt.messages == longer
    assert (turn.model.model_id, turn.resolved_model) == ("x", "x:latest")
    assert (turn.input_tokens, turn.output_tokens) == (5, 3)
    assert turn.duration_ms() == 5_000_000  # type: ignore[no-untyped-call]
    begun = datetime.fromisoformat(turn.datetime_utc())  # type: ignore[no-untyped-call]
    assert datetime.now(timezone.utc) - begun >= timedelta(seconds=5000)
    assert dict(turn.prompt.options) == {"seed": 1}
    assert turn.response_json == {"outcome": {"finish_reason": "stop", "notes": []}}


def test_response_before_the_answer() -> None:
    turn = ChatReader(lambda: 0.0).response(ASK, ASK.messages)
    assert turn.messages() == []
    assert turn.resolved_model is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(body(line(content="a"), {"error": "broken"}), "broken", id="line of error"),
        pytest.param(body({"error": {"message": "x"}}), "{'message': 'x'}", id="error of another form"),
        pytest.param(body(line(content="a")), "The answer ended in the middle.", id="no end"),
        pytest.param(b"", "The answer ended in the middle.", id="nothing"),
        pytest.param(
            body(line(content="a")) + b"<html>\n" + body(END), "The answer could not be read", id="no JSON"
        ),
        pytest.param(body(line(content="a"), {"message": 1}, END), "The answer could not be read", id="form"),
    ],
)
def test_errors(data: bytes, error: str) -> None:
    reader = read(data)
    assert reader.error is not None
    assert reader.error.startswith(error)
    assert len(answer(reader)) == (b'"a"' in data)


def test_deep_nesting_is_an_error() -> None:
    reader = read(b'{"done": true, "x": ' + b"[" * 200_000 + b"\n")
    assert reader.error
