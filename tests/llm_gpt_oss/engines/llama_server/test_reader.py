"Events as xllamacpp 2026.10 sent them, cut down to what is read."

from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.engines.http.connection import Endpoint
from llm_gpt_oss.engines.llama_server.reader import CompletionReader
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, StreamCut
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.streaming import translate

PEER = Endpoint("llama-server", ServerAddress("http://127.0.0.1:1"), 1.0, "Start it.")
TIMES = {"prompt_ms": 7.5, "predicted_ms": 20.0}
END = {"content": "", "stop": True, "tokens_predicted": 3, "tokens_evaluated": 18, "timings": TIMES}


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"content": text, "stop": False, **more}


def read(*events: dict[str, Any], rivals: int | None = None) -> list[Piece | Done]:
    return list(translate(events, CompletionReader(PEER, rivals)))


def test_pieces_then_the_end() -> None:
    assert read(say("<|channel|>"), say("final"), say(""), {**END, "stop_type": "eos"}) == [
        Piece("<|channel|>"),
        Piece("final"),
        Done("stop", prompt_tokens=18, completion_tokens=3, prompt_ms=7.5, completion_ms=20.0),
    ]


@pytest.mark.parametrize(("kind", "reason"), [("limit", "length"), ("word", "stop"), ("eos", "stop")])
def test_how_it_ended(kind: str, reason: str) -> None:
    [done] = read({**END, "stop_type": kind})
    assert isinstance(done, Done)
    assert done.reason == reason


def test_the_end_says_no_more_than_the_server() -> None:
    assert read({"content": "a", "stop": True}) == [Piece("a"), Done("stop")]


@pytest.mark.parametrize(("rivals", "shown"), [(0, 0), (1, 1), (2, 2)])
def test_log_probabilities(rivals: int, shown: int) -> None:
    token = {"id": 315, "token": "The", "bytes": [84, 104, 101], "logprob": -0.5}
    tops = [token, {"id": 9, "token": "\ufffd", "bytes": [156], "logprob": -8.0}]
    [piece, _] = read(
        say("The", completion_probabilities=[{**token, "top_logprobs": tops}]), END, rivals=rivals
    )
    top = (Logprob("The", -0.5, (84, 104, 101)), Logprob("\ufffd", -8.0, (156,)))[:shown]
    assert piece == Piece("The", (Logprob("The", -0.5, (84, 104, 101), top),))


def test_a_token_without_bytes() -> None:
    [piece, _] = read(say("a", completion_probabilities=[{"token": "a", "logprob": -1.0}]), END)
    assert piece == Piece("a", (Logprob("a", -1.0),))


def test_an_error_in_the_stream() -> None:
    with pytest.raises(ContextOverflow):
        read(say("a"), {"error": {"code": 400, "message": "the request exceeds the available context size"}})


def test_streams_that_are_none() -> None:
    with pytest.raises(EmptyStream):
        read()
    with pytest.raises(StreamCut, match="ended in the middle"):
        read(say("a"))
    for event in ({"text": "a"}, {"content": "a", "completion_probabilities": [{"token": "a"}]}):
        with pytest.raises(StreamCut, match="another form"):
            read(event)
