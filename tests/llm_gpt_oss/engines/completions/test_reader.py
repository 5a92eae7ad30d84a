"Events after vLLM's `entrypoints/openai/completion/serving.py`, and recorded ones of llama.cpp's server."

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.engines.completions.reader import TextReader
from llm_gpt_oss.engines.completions.requests import DIALECTS, completion_request
from llm_gpt_oss.engines.http.client import StreamReader
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.errors import EmptyStream, EngineError, StreamCut
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.streaming import translate

ENDPOINT = Endpoint("The server", ServerAddress("http://127.0.0.1:1"), 1.0, "Start it.")
USAGE = {"prompt_tokens": 18, "completion_tokens": 3, "total_tokens": 21}
TIMES = {"prompt_ms": 7.5, "predicted_ms": 20.0}


def event(text: str, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": reason, **fields}]}


COMPLETION = Completion("tiny", "p")
STOPPING = Completion("tiny", "p", stop=("x",))


def read(*events: dict[str, Any], completion: Completion = COMPLETION) -> list[Piece | Done]:
    return list(translate(events, TextReader("The server", completion)))


def step(text: str, *tokens: str) -> dict[str, Any]:
    "An event under a stop string: the tokens of this step, and the text that the server releases in it."
    return event(text, logprobs={"tokens": [*tokens], "token_logprobs": [-0.1] * len(tokens)})


def texts(*events: dict[str, Any]) -> list[str]:
    items = read(*events, event("", "stop"), completion=STOPPING)
    return [item.text for item in items if isinstance(item, Piece)]


@pytest.mark.parametrize(
    ("last", "end"),
    [
        pytest.param(
            [event("", "stop"), {"choices": [], "usage": USAGE}],
            Done("stop", prompt_tokens=18, completion_tokens=3),
            id="vLLM",
        ),
        pytest.param(
            [{**event("", "length"), "usage": USAGE, "timings": TIMES}],
            Done("length", prompt_tokens=18, completion_tokens=3, prompt_ms=7.5, completion_ms=20.0),
            id="llama.cpp",
        ),
        pytest.param([event("", "stop")], Done("stop"), id="no usage"),
        pytest.param(
            [
                {
                    **event("", "stop"),
                    "usage": {"prompt_tokens": "18", "completion_tokens": 2**70},
                    "timings": {"prompt_ms": [], "predicted_ms": -1},
                }
            ],
            Done("stop"),
            id="impossible counts",
        ),
    ],
)
def test_pieces_then_the_end(last: list[dict[str, Any]], end: Done) -> None:
    assert read(event("<|channel|>"), event("final"), *last) == [Piece("<|channel|>"), Piece("final"), end]


def test_log_probabilities_of_vllm() -> None:
    logprobs = {
        "text_offset": [0, 1],
        "tokens": ["a", "b"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"x": -3.0, "a": -0.1}, None],
    }
    a, b = Logprob("a", -0.1), Logprob("b", -0.2)
    pieces = read(event("ab", "stop", logprobs=logprobs), completion=replace(COMPLETION, top_logprobs=1))
    assert pieces == [Piece("a", (replace(a, top=(a,)),)), Piece("b", (b,)), Done("stop")]
    logprobs["top_logprobs"] = None
    pieces = read(event("ab", "stop", logprobs=logprobs), completion=replace(COMPLETION, top_logprobs=0))
    assert pieces == [Piece("a", (a,)), Piece("b", (b,)), Done("stop")]


def test_delayed_text_is_split_at_the_ends_of_tokens() -> None:
    steps = [
        step("", "<|channel|>"),
        step("<|ch", "analysis"),
        step("annel|>anal", "<|message|>"),
        step("ysis<|message|>H", "Hm"),
        step("m"),
    ]
    assert texts(*steps) == ["<|channel|>", "analysis", "<|message|>", "Hm"]


def test_a_marker_that_the_model_spells_out_stays_split() -> None:
    assert texts(step("", "<", "|"), step("<|end|>", "end", "|", ">")) == ["<", "|", "end", "|", ">"]


def test_the_tokens_of_a_character_are_one_piece() -> None:
    steps = [step("", ""), step("", "", "ü"), step("ü", "b"), step("b"), event("", "stop")]
    [first, second, _] = read(*steps, completion=replace(STOPPING, top_logprobs=0))
    assert first == Piece("ü", (Logprob("", -0.1), Logprob("", -0.1), Logprob("ü", -0.1)), tokens=3)
    assert second == Piece("b", (Logprob("b", -0.1),))


def test_alternatives_of_tokens_whose_text_was_delayed() -> None:
    top = {"tokens": ["a"], "token_logprobs": [-0.1], "top_logprobs": [{"b": -2.0, "a": -0.1}]}
    events = [event("", logprobs=top), event("a", "stop")]
    [piece, _] = read(*events, completion=replace(STOPPING, top_logprobs=1))
    assert piece == Piece("a", (Logprob("a", -0.1, None, (Logprob("a", -0.1),)),))


def test_tokens_that_were_not_requested_are_not_returned() -> None:
    assert read(step("a", "a"), event("", "stop"), completion=STOPPING) == [Piece("a"), Done("stop")]


def test_text_before_a_stop_string_that_begins_in_a_token() -> None:
    events = [step("", "13"), step("1", "4"), event("", "stop")]
    assert read(*events, completion=replace(STOPPING, top_logprobs=0)) == [Piece("1"), Done("stop")]


@pytest.mark.parametrize("nothing", [None, {}, {"content": None}, {"content": []}, {"tokens": None}])
@pytest.mark.parametrize("stop", [(), ("x",)], ids=["no stop string", "a stop string"])
def test_no_tokens_and_no_text(nothing: dict[str, Any] | None, stop: tuple[str, ...]) -> None:
    end = {"choices": [{"text": None, "finish_reason": "stop", "logprobs": nothing}]}
    completion = replace(COMPLETION, stop=stop)
    assert read(event("a"), end, completion=completion) == [Piece("a"), Done("stop")]


def test_tokens_without_their_log_probabilities() -> None:
    with pytest.raises(StreamCut, match="unexpected form"):
        read(event("a", logprobs={"tokens": ["a"], "token_logprobs": []}))


def test_a_server_that_reports_no_tokens() -> None:
    assert texts(event("<|ch"), event("annel|>x<"), event("y")) == ["<|channel|>", "x", "<y"]


def test_log_probabilities_of_llama_cpp() -> None:
    token = {"id": 1, "token": "a", "bytes": [97], "logprob": -0.1}
    [piece, _] = read(
        event("a", "stop", logprobs={"content": [{**token, "top_logprobs": [token]}]}),
        completion=replace(COMPLETION, top_logprobs=1),
    )
    assert piece == Piece("a", (Logprob("a", -0.1, (97,), (Logprob("a", -0.1, (97,)),)),))


@pytest.mark.parametrize(
    "error",
    [{"error": {"message": "Bang", "code": 500}}, {"object": "error", "message": "Bang", "code": 500}],
)
def test_an_error_in_the_stream(error: dict[str, Any]) -> None:
    request = completion_request(Completion("tiny", "p"), "theirs", DIALECTS["vllm"], 7)
    stream = StreamReader(ENDPOINT, request)
    with pytest.raises(EngineError, match=r"The server failed with an error \(500\): Bang"):
        list(stream.feed(b"data: " + json.dumps(error).encode() + b"\n\n"))


def test_incomplete_streams() -> None:
    with pytest.raises(EmptyStream):
        read()
    with pytest.raises(StreamCut, match="ended in the middle"):
        read(event("a"))
    for wrong in (
        {"text": "a"},
        {**event("a"), "usage": [1]},
        {"choices": [{}]},
        {"choices": [{"text": "a", "logprobs": {"x": 1}}]},
    ):
        with pytest.raises(StreamCut, match="unexpected form"):
            read(wrong)
