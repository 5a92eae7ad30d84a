from __future__ import annotations

import json

import pytest

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.http.ndjson import NdjsonReader
from llm_gpt_oss.engines.http.output import DELAY_BEFORE_END, MAX_DELAY, CompletionOutput
from llm_gpt_oss.engines.ollama.reader import GenerateReader
from llm_gpt_oss.errors import StreamCut


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def line(text: str, done: bool = False) -> bytes:
    return json.dumps({"response": text, "done": done}).encode() + b"\n"


def output(clock: Clock, *, batch: bool) -> CompletionOutput:
    completion = Completion("tiny", "p", batch=batch)
    return CompletionOutput(NdjsonReader(), GenerateReader(completion), completion, clock)


def test_without_batch_each_piece_is_returned_at_once() -> None:
    made = output(Clock(), batch=False)
    assert made.feed(line("a") + line("b")) == [Piece("a"), Piece("b")]
    assert made.feed(line("c", done=True)) == [Piece("c"), Done("stop")]
    assert made.finish() == []
    assert made.read_delay(wakes_at_end=False) == made.read_delay(wakes_at_end=True) == 0


def test_pieces_of_a_batch_wait_until_their_time_is_over() -> None:
    clock = Clock()
    made = output(clock, batch=True)
    clock.seconds = 10.0
    assert made.feed(line("a") + line("b")) == [Piece("ab", tokens=2)]
    clock.seconds = 10.0 + MAX_DELAY / 2
    assert made.feed(line("c")) == []
    assert made.feed(line("d")) == []
    clock.seconds = 10.0 + MAX_DELAY
    assert made.feed(line("e")) == [Piece("cde", tokens=3)]
    assert made.feed(line("f")) == []
    assert made.feed(line("", done=True)) == []
    assert made.finish() == [Piece("f"), Done("stop")]


@pytest.mark.parametrize(("seconds", "delay"), [(0.0, 0.0), (0.1, 0.01), (0.2, 0.02), (10.0, MAX_DELAY)])
def test_the_read_delay_grows_with_the_time_of_the_completion(seconds: float, delay: float) -> None:
    clock = Clock()
    made = output(clock, batch=True)
    clock.seconds = seconds
    assert made.read_delay(wakes_at_end=False) == pytest.approx(delay)
    made.feed(line("", done=True))
    assert made.read_delay(wakes_at_end=False) == 0


def test_the_read_delay_that_ends_with_the_stream_is_longer() -> None:
    made = output(Clock(), batch=True)
    assert made.read_delay(wakes_at_end=True) == DELAY_BEFORE_END > MAX_DELAY
    made.feed(line("", done=True))
    assert made.read_delay(wakes_at_end=True) == 0


@pytest.mark.parametrize("batch", [False, True])
def test_pieces_before_an_error_are_not_lost(batch: bool) -> None:
    made = output(Clock(), batch=batch)
    with pytest.raises(StreamCut):
        made.feed(line("a") + b"no JSON\n")
    assert made.flush() == [Piece("a")]
