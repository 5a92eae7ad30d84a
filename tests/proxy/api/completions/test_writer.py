from __future__ import annotations

from typing import Any

import pytest
from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.events import AnswerEvent
from proxy.api.completions.writer import CompletionWriter, accumulate, base_chunk, usage_json
from proxy.generation import Finished, TokenUsage

TURN = "01hf7yat000000000000000001"
HEAD = base_chunk("gpt-oss", TURN)
DONE = Finished("stop", TokenUsage(3, 2, 0))
A, B = Logprob("a", -0.5, top=(Logprob("a", -0.5), Logprob("x", -2.0))), Logprob("b", -1.0)


def text(chunk: str, *logprobs: Logprob) -> StreamEvent:
    return AnswerEvent("text", chunk, logprobs=logprobs)


def chunk(text: str, index: int = 0, reason: str | None = None, logprobs: Any = None) -> dict[str, Any]:
    choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}
    return {**HEAD, "choices": [choice]}


def logprobs_json(tokens: list[str], logprobs: list[float], offsets: list[int], top: Any) -> dict[str, Any]:
    return {"tokens": tokens, "token_logprobs": logprobs, "text_offset": offsets, "top_logprobs": top}


def test_base_chunk() -> None:
    assert {
        "id": f"cmpl-{TURN}",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-oss",
        "system_fingerprint": None,
    } == HEAD


@pytest.mark.parametrize(
    ("events", "chunks"),
    [
        pytest.param([DONE], [chunk("", 1, "stop")], id="nothing"),
        pytest.param(
            [text("a"), text("b"), DONE], [chunk("a", 1), chunk("b", 1), chunk("", 1, "stop")], id="text"
        ),
        pytest.param([StreamEvent("reasoning", "hm"), DONE], [chunk("", 1, "stop")], id="no reasoning"),
        pytest.param([StreamEvent("text", "a")], [chunk("a", 1)], id="a separator"),
        pytest.param([text("a", A)], [chunk("a", 1)], id="log probabilities that nobody wants"),
    ],
)
def test_chunks(events: list[Any], chunks: list[Any]) -> None:
    assert list(translate(events, CompletionWriter(HEAD, 1))) == chunks


def test_echo() -> None:
    chunks = translate([text("b"), DONE], CompletionWriter(HEAD, 0, echo="a"))
    assert list(chunks) == [chunk("a"), chunk("b"), chunk("", 0, "stop")]


@pytest.mark.parametrize(
    ("top_logprobs", "top"),
    [pytest.param(0, None, id="none"), pytest.param(1, [{"a": -0.5, "x": -2.0}], id="one")],
)
def test_logprobs(top_logprobs: int, top: Any) -> None:
    (written_chunk,) = translate([text("a", A)], CompletionWriter(HEAD, 0, top_logprobs=top_logprobs))
    assert written_chunk == chunk("a", logprobs=logprobs_json(["a"], [-0.5], [0], top))


def test_top_logprobs_include_the_chosen_token() -> None:
    drawn = Logprob("b", -3.0, top=(Logprob("x", -0.1),))
    (written_chunk,) = translate([text("b", drawn)], CompletionWriter(HEAD, 0, top_logprobs=1))
    assert written_chunk["choices"][0]["logprobs"]["top_logprobs"] == [{"x": -0.1, "b": -3.0}]


def test_text_offsets() -> None:
    half = Logprob("<0xC3>", -1.0)
    events = [text("ab", A, B), text("ü", half, half), StreamEvent("text", "--"), text("b", B)]
    chunks = list(translate(events, CompletionWriter(HEAD, 0, top_logprobs=0)))
    logprobs = [written_chunk["choices"][0]["logprobs"] for written_chunk in chunks]
    assert [each and each["text_offset"] for each in logprobs] == [[0, 1], [2, 3], None, [5]]


def test_accumulate() -> None:
    chunks = [
        *translate([text("a", A), text("--"), text("b", B), DONE], CompletionWriter(HEAD, 0, top_logprobs=1)),
        *translate([text("c"), DONE], CompletionWriter(HEAD, 1)),
    ]
    whole = accumulate(HEAD, chunks, {"total_tokens": 5})
    logprobs = logprobs_json(["a", "b"], [-0.5, -1.0], [0, 3], [{"a": -0.5, "x": -2.0}, {"b": -1.0}])
    assert whole == {
        **HEAD,
        "choices": [
            *chunk("a--b", 0, "stop", logprobs)["choices"],
            *chunk("c", 1, "stop")["choices"],
        ],
        "usage": {"total_tokens": 5},
    }


def test_accumulate_without_top_logprobs() -> None:
    chunks = list(translate([text("a", A), text("b", B), DONE], CompletionWriter(HEAD, 0, top_logprobs=0)))
    (choice,) = accumulate(HEAD, chunks, {})["choices"]
    assert choice["logprobs"] == logprobs_json(["a", "b"], [-0.5, -1.0], [0, 1], None)


def test_usage_counts_each_prompt_once() -> None:
    usages = [TokenUsage(10, 1, 0), TokenUsage(10, 2, 1), TokenUsage(20, 3, 0), TokenUsage(20, 4, 2)]
    assert usage_json(usages, 2) == {
        "prompt_tokens": 30,
        "completion_tokens": 10,
        "total_tokens": 40,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
