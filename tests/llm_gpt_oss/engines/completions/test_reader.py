"vLLM's events are written after its `entrypoints/openai/completion/serving.py`, llama.cpp's as it sent them."

from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.engines.completions.reader import TextReader
from llm_gpt_oss.engines.http.connection import Endpoint
from llm_gpt_oss.errors import EmptyStream, EngineError, StreamCut
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.streaming import translate

PEER = Endpoint("The server", ServerAddress("http://127.0.0.1:1"), 1.0, "Start it.")
USAGE = {"prompt_tokens": 18, "completion_tokens": 3, "total_tokens": 21}
TIMES = {"prompt_ms": 7.5, "predicted_ms": 20.0}


def say(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": reason, **more}]}


def read(*events: dict[str, Any], rivals: int | None = None, held: bool = False) -> list[Piece | Done]:
    return list(translate(events, TextReader(PEER, rivals, held=held)))


def told(text: str, *tokens: str) -> dict[str, Any]:
    "As under a stop string: the tokens of this step, and the text that is let go of in it."
    return say(text, logprobs={"tokens": [*tokens], "token_logprobs": [-0.1] * len(tokens)})


def texts(*events: dict[str, Any]) -> list[str]:
    return [piece.text for piece in read(*events, say("", "stop"), held=True) if isinstance(piece, Piece)]


@pytest.mark.parametrize(
    ("last", "end"),
    [
        pytest.param(
            [say("", "stop"), {"choices": [], "usage": USAGE}],
            Done("stop", prompt_tokens=18, completion_tokens=3),
            id="vLLM",
        ),
        pytest.param(
            [{**say("", "length"), "usage": USAGE, "timings": TIMES}],
            Done("length", prompt_tokens=18, completion_tokens=3, prompt_ms=7.5, completion_ms=20.0),
            id="llama.cpp",
        ),
        pytest.param([say("", "stop")], Done("stop"), id="no usage"),
    ],
)
def test_pieces_then_the_end(last: list[dict[str, Any]], end: Done) -> None:
    assert read(say("<|channel|>"), say("final"), *last) == [Piece("<|channel|>"), Piece("final"), end]


def test_log_probabilities_as_vllm_has_them() -> None:
    told = {
        "text_offset": [0, 1],
        "tokens": ["a", "b"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"x": -3.0, "a": -0.1}, None],
    }
    [piece, _] = read(say("ab", "stop", logprobs=told), rivals=1)
    top = (Logprob("a", -0.1),)
    assert piece == Piece("ab", (Logprob("a", -0.1, None, top), Logprob("b", -0.2)))
    [piece, _] = read(say("ab", "stop", logprobs={**told, "top_logprobs": None}), rivals=0)
    assert piece == Piece("ab", (Logprob("a", -0.1), Logprob("b", -0.2)))


def test_text_that_is_held_back_comes_in_its_tokens() -> None:
    steps = [
        told("", "<|channel|>"),
        told("<|ch", "analysis"),
        told("annel|>anal", "<|message|>"),
        told("ysis<|message|>H", "Hm"),
        told("m"),
    ]
    assert texts(*steps) == ["<|channel|>", "analysis", "<|message|>", "Hm"]


def test_a_marker_that_is_spelled_out_stays_so() -> None:
    assert texts(told("<|", "<", "|"), told("end|>", "end", "|", ">")) == ["<", "|", "end", "|", ">"]


def test_the_last_token_ends_where_the_stop_string_begins() -> None:
    assert texts(told("", "13"), told("1", ", 1", "4"), told("3, ")) == ["13", ", "]


def test_a_token_that_a_stop_string_cut_has_no_log_probability() -> None:
    steps = [told("", "13"), told("1", "4"), say("", "stop")]
    assert read(*steps, rivals=0, held=True) == [Piece("1"), Done("stop")]


def test_rivals_of_tokens_whose_text_was_held_back() -> None:
    top = {"tokens": ["a"], "token_logprobs": [-0.1], "top_logprobs": [{"b": -2.0, "a": -0.1}]}
    [piece, _] = read(say("", logprobs=top), say("a", "stop"), rivals=1, held=True)
    assert piece == Piece("a", (Logprob("a", -0.1, None, (Logprob("a", -0.1),)),))


def test_tokens_that_do_not_begin_as_the_text_does() -> None:
    assert texts(told("<|end|>", "ab")) == ["<|end|>"]
    assert texts(told("<|e", "token_id:1"), told("nd|>a", "token_id:2"), told("b")) == ["<|end|>a", "b"]


@pytest.mark.parametrize("nothing", [None, {}, {"content": None}, {"content": []}, {"tokens": None}])
@pytest.mark.parametrize("held", [False, True])
def test_no_tokens_and_no_text(nothing: dict[str, Any] | None, held: bool) -> None:
    assert read(
        say("a"), {"choices": [{"text": None, "finish_reason": "stop", "logprobs": nothing}]}, held=held
    ) == [
        Piece("a"),
        Done("stop"),
    ]


def test_tokens_without_their_log_probabilities() -> None:
    with pytest.raises(StreamCut, match="another form"):
        read(say("a", logprobs={"tokens": ["a"], "token_logprobs": []}))


def test_the_parts_of_a_character_go_with_it() -> None:
    steps = [told("", ""), told("", "", "ü"), told("ü", "b"), told("b"), say("", "stop")]
    [first, second, _] = read(*steps, rivals=0, held=True)
    assert first == Piece("ü", (Logprob("", -0.1), Logprob("", -0.1), Logprob("ü", -0.1)))
    assert second == Piece("b", (Logprob("b", -0.1),))


def test_tokens_that_were_not_asked_for_are_not_told() -> None:
    assert read(told("a", "a"), say("", "stop"), held=True) == [Piece("a"), Done("stop")]


def test_tokens_that_do_not_spell_the_text() -> None:
    "Markers are whole all the same."
    steps = [
        told("", "�"),
        told("ü<", "�"),
        told("|end", "<|end|>"),
        told("|>x", "x"),
        told("<", "<"),
        told("y"),
    ]
    assert texts(*steps) == ["ü", "<|end|>x", "<y"]
    *pieces, _ = read(*steps, say("", "stop"), rivals=0, held=True)
    tokens = [token.token for piece in pieces if isinstance(piece, Piece) for token in piece.logprobs]
    assert tokens == ["�", "�", "<|end|>", "x", "<"]


def test_a_server_that_tells_no_tokens() -> None:
    assert texts(say("<|ch"), say("annel|>x<"), say("y")) == ["<|channel|>x", "<y"]


def test_log_probabilities_as_llama_cpp_has_them() -> None:
    token = {"id": 1, "token": "a", "bytes": [97], "logprob": -0.1}
    [piece, _] = read(say("a", "stop", logprobs={"content": [{**token, "top_logprobs": [token]}]}), rivals=1)
    assert piece == Piece("a", (Logprob("a", -0.1, (97,), (Logprob("a", -0.1, (97,)),)),))


@pytest.mark.parametrize(
    "event",
    [{"error": {"message": "Bang", "code": 500}}, {"object": "error", "message": "Bang", "code": 500}],
)
def test_an_error_in_the_stream(event: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match=r"The server failed \(500\): Bang"):
        read(say("a"), event)


def test_streams_that_are_none() -> None:
    with pytest.raises(EmptyStream):
        read()
    with pytest.raises(StreamCut, match="ended in the middle"):
        read(say("a"))
    for event in ({"text": "a"}, {"choices": [{}]}, {"choices": [{"text": "a", "logprobs": {"x": 1}}]}):
        with pytest.raises(StreamCut, match="another form"):
            read(event)
