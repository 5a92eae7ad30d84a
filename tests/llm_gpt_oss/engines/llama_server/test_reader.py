"Events of xllamacpp 2026.10, without the fields that are not used."

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.engines.http.client import StreamReader
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.engines.llama_server.reader import CompletionReader
from llm_gpt_oss.engines.llama_server.requests import completion_request
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, StreamCut
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.streaming import translate

ENDPOINT = Endpoint("llama-server", ServerAddress("http://127.0.0.1:1"), 1.0, "Start it.")
TIMES = {"prompt_ms": 7.5, "predicted_ms": 20.0}
END = {"content": "", "stop": True, "tokens_predicted": 3, "tokens_evaluated": 18, "timings": TIMES}


def event(text: str, **fields: Any) -> dict[str, Any]:
    return {"content": text, "stop": False, **fields}


MARKERS = {2043: "<|channel|>", 2045: "<|end|>"}
COMPLETION = Completion("tiny", "p")
STOPPING = Completion("tiny", "p", stop=("<|end|><|start|>",))


def read(*events: dict[str, Any], completion: Completion = COMPLETION) -> list[Piece | Done]:
    return list(translate(events, CompletionReader("llama-server", completion, MARKERS)))


def test_pieces_then_the_end() -> None:
    assert read(event("<|channel|>"), event("final"), event(""), {**END, "stop_type": "eos"}) == [
        Piece("<|channel|>"),
        Piece("final"),
        Done("stop", prompt_tokens=18, completion_tokens=3, prompt_ms=7.5, completion_ms=20.0),
    ]


@pytest.mark.parametrize(("stop_type", "reason"), [("limit", "length"), ("word", "stop"), ("eos", "stop")])
def test_the_reason_of_the_end(stop_type: str, reason: str) -> None:
    [done] = read({**END, "stop_type": stop_type})
    assert isinstance(done, Done)
    assert done.reason == reason


def test_an_end_without_counts() -> None:
    assert read({"content": "a", "stop": True}) == [Piece("a"), Done("stop")]


@pytest.mark.parametrize(("requested", "expected"), [(0, 0), (1, 1), (2, 2)])
def test_log_probabilities(requested: int, expected: int) -> None:
    token = {"id": 315, "token": "The", "bytes": [84, 104, 101], "logprob": -0.5}
    tops = [token, {"id": 9, "token": "\ufffd", "bytes": [156], "logprob": -8.0}]
    [piece, _] = read(
        event("The", completion_probabilities=[{**token, "top_logprobs": tops}]),
        END,
        completion=Completion("tiny", "p", top_logprobs=requested),
    )
    top = (Logprob("The", -0.5, (84, 104, 101)), Logprob("\ufffd", -8.0, (156,)))[:expected]
    assert piece == Piece("The", (Logprob("The", -0.5, (84, 104, 101), top),))


def test_a_token_without_bytes() -> None:
    probable = Completion("tiny", "p", top_logprobs=0)
    [piece, _] = read(
        event("a", completion_probabilities=[{"token": "a", "logprob": -1.0}]), END, completion=probable
    )
    assert piece == Piece("a", (Logprob("a", -1.0),))


@pytest.mark.parametrize(
    ("events", "texts"),
    [
        pytest.param(
            [event("", tokens=[2043]), event("<|channel|>analysis", tokens=[404])],
            ["<|channel|>", "analysis"],
            id="a marker that was held back",
        ),
        pytest.param(
            [event("", tokens=[27]), event("", tokens=[28]), event("<|end|> ends", tokens=[29])],
            ["<|end|> ends"],
            id="a marker spelled out",
        ),
        pytest.param(
            [event("", tokens=[27]), event("", tokens=[28]), event("<|end|>", tokens=[29])],
            ["<", "|end|>"],
            id="a marker spelled out, and nothing else",
        ),
        pytest.param(
            [event("", tokens=[27]), event("<", tokens=[2045])], ["<"], id="text before a stop string"
        ),
        pytest.param(
            [event("<|channel|>analysis"), event("x")],
            ["<|channel|>", "analysis", "x"],
            id="a server that reports no tokens",
        ),
    ],
)
def test_text_that_the_server_held_back(events: list[dict[str, Any]], texts: list[str]) -> None:
    items = read(*events, END, completion=STOPPING)
    assert [item.text for item in items if isinstance(item, Piece)] == texts


def test_log_probabilities_of_text_that_the_server_held_back() -> None:
    events = [
        event("", tokens=[16], completion_probabilities=[{"token": "", "logprob": -1.0}]),
        event("11", tokens=[17], completion_probabilities=[{"token": "11", "logprob": -2.0}]),
    ]
    [piece, _] = read(*events, END, completion=Completion("tiny", "p", stop=("12",), top_logprobs=0))
    assert piece == Piece("11", (Logprob("", -1.0), Logprob("11", -2.0)), tokens=2)


def test_a_marker_after_a_part_of_a_character() -> None:
    [*pieces, _] = read(event("\ufffd<|end|>"), END)
    assert pieces == [Piece("\ufffd"), Piece("<|end|>")]


def test_an_error_in_the_stream() -> None:
    stream = StreamReader(ENDPOINT, completion_request(Completion("tiny", "p")))
    error = {"code": 400, "message": "the request exceeds the available context size"}
    with pytest.raises(ContextOverflow):
        list(stream.feed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n"))


def test_incomplete_streams() -> None:
    with pytest.raises(EmptyStream):
        read()
    with pytest.raises(StreamCut, match="ended in the middle"):
        read(event("a"))
    for wrong in ({"text": "a"}, {"content": "a", "completion_probabilities": [{"token": "a"}]}):
        with pytest.raises(StreamCut, match="unexpected form"):
            read(wrong)


def test_impossible_counts() -> None:
    times = {"prompt_ms": "7", "predicted_ms": 1e300}
    end = {**END, "tokens_predicted": 2**70, "tokens_evaluated": -1, "timings": times}
    assert read(event("a"), end) == [Piece("a"), Done("stop")]
