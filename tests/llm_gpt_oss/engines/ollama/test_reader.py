from __future__ import annotations

import pytest

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.engines.ollama.answers import GenerateChunk
from llm_gpt_oss.engines.ollama.reader import GenerateReader
from llm_gpt_oss.engines.ollama.wire import GenerateLine
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, StreamCut
from llm_gpt_oss.streaming import translate

# As recorded with v0.24.
CHANNEL: GenerateLine = {"response": "<|channel|>", "done": False}
STOPPED: GenerateLine = {
    "response": "",
    "done": True,
    "done_reason": "stop",
    "load_duration": 7674007,
    "prompt_eval_count": 81,
    "prompt_eval_duration": 35463673,
    "eval_count": 29,
    "eval_duration": 233238781,
}
ONE_TOKEN: GenerateLine = {
    "response": "",
    "done": True,
    "done_reason": "length",
    "load_duration": 3085200,
    "prompt_eval_count": 81,
    "prompt_eval_duration": 9449451,
    "eval_count": 1,
}
# A prompt that is too long, with `shift: false`: 200, and this one line.
FULL: GenerateLine = {
    "response": "",
    "done": True,
    "done_reason": "length",
    "load_duration": 3389707,
    "prompt_eval_count": 4096,
    "eval_duration": -9223372036854775808,
}
PROBABLE: GenerateLine = {
    "response": "a",
    "done": False,
    "logprobs": [
        {
            "token": "a",
            "logprob": -1.5,
            "bytes": [97],
            "top_logprobs": [
                {"token": "a", "logprob": -1.5, "bytes": [97]},
                {"token": "\ufffd", "logprob": -21.1},
            ],
        }
    ],
}

STREAMS: list[tuple[list[GenerateLine], list[Piece | Done]]] = [
    ([CHANNEL, STOPPED], [Piece("<|channel|>"), Done("stop", 81, 29, 7.674007, 35.463673, 233.238781)]),
    ([CHANNEL, ONE_TOKEN], [Piece("<|channel|>"), Done("length", 81, 1, 3.0852, 9.449451)]),
    # Half a character is a token, and no text.
    ([ONE_TOKEN], [Done("length", 81, 1, 3.0852, 9.449451)]),
    ([CHANNEL, FULL], [Piece("<|channel|>"), Done("length", 4096, None, 3.389707)]),
    ([{"response": "", "done": False}, {"response": "a", "done": True}], [Piece("a"), Done("stop")]),
    ([{"done": True}], [Done("stop")]),
    (
        [PROBABLE, {"done": True, "done_reason": "stop"}],
        [
            Piece("a", (Logprob("a", -1.5, (97,), (Logprob("a", -1.5, (97,)), Logprob("\ufffd", -21.1))),)),
            Done("stop"),
        ],
    ),
    (
        [
            {
                "done": True,
                "prompt_eval_count": -1,
                "eval_count": 0,
                "load_duration": 0,
                "eval_duration": 2**62,
            }
        ],
        [Done("stop", None, 0, 0)],
    ),
]


@pytest.mark.parametrize(("lines", "said"), STREAMS)
def test_streams(lines: list[GenerateLine], said: list[Piece | Done]) -> None:
    assert list(translate(map(GenerateChunk.of, lines), GenerateReader())) == said


def test_a_piece_is_told_at_once() -> None:
    assert list(GenerateReader().feed(GenerateChunk.of(CHANNEL))) == [Piece("<|channel|>")]


def test_a_full_context() -> None:
    with pytest.raises(ContextOverflow) as caught:
        list(translate([GenerateChunk.of(FULL)], GenerateReader()))
    assert (caught.value.prompt_tokens, caught.value.context_length) == (None, 4096)


def test_no_line_at_all() -> None:
    with pytest.raises(EmptyStream, match="without a single word"):
        list(translate([], GenerateReader()))


def test_no_last_line() -> None:
    lines: list[GenerateLine] = [CHANNEL, {"response": " again", "done": False}]
    said = translate(map(GenerateChunk.of, lines), GenerateReader())
    assert [next(said), next(said)] == [Piece("<|channel|>"), Piece(" again")]
    with pytest.raises(StreamCut, match="ended in the middle"):
        next(said)
