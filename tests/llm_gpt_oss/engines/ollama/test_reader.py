from __future__ import annotations

from typing import cast

import pytest

from llm_gpt_oss.completion import Completion, Done, Json, Logprob, Piece
from llm_gpt_oss.engines.ollama.reader import GenerateReader
from llm_gpt_oss.engines.ollama.wire import GenerateLine, TokenLogprob
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, StreamCut
from llm_gpt_oss.streaming import translate

# Recorded with v0.24.
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
# The only line for a prompt that is too long, with `shift: false`. The status is 200.
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


def as_json(line: GenerateLine) -> Json:
    return cast(Json, line)


PROBABILITIES = Completion("tiny", "p", top_logprobs=2)
STOPPING = Completion("tiny", "p", stop=("<|end|><|start|>",))


def read(*lines: GenerateLine, completion: Completion = PROBABILITIES) -> list[Piece | Done]:
    return list(translate(map(as_json, lines), GenerateReader(completion)))


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
    ([{"done": True, "prompt_eval_count": 2**70, "load_duration": 2**5000}], [Done("stop")]),
]


@pytest.mark.parametrize(("lines", "items"), STREAMS)
def test_pieces_and_the_end(lines: list[GenerateLine], items: list[Piece | Done]) -> None:
    assert read(*lines) == items


def test_a_piece_is_returned_at_once() -> None:
    assert [*GenerateReader(STOPPING).feed(cast(Json, CHANNEL))] == [Piece("<|channel|>")]


def test_a_prompt_that_is_too_long() -> None:
    with pytest.raises(ContextOverflow) as caught:
        read(FULL)
    assert (caught.value.prompt_tokens, caught.value.context_length) == (None, 4096)


def test_a_stream_without_lines() -> None:
    with pytest.raises(EmptyStream, match="returned an empty answer"):
        read()


def test_a_stream_without_a_last_line() -> None:
    lines: list[GenerateLine] = [CHANNEL, {"response": " again", "done": False}]
    items = translate(map(as_json, lines), GenerateReader(PROBABILITIES))
    assert [next(items), next(items)] == [Piece("<|channel|>"), Piece(" again")]
    with pytest.raises(StreamCut, match="ended in the middle"):
        next(items)


def line(text: str, *tokens: str) -> GenerateLine:
    logprobs: list[TokenLogprob] = [{"token": token, "logprob": -1} for token in tokens]
    return {"response": text, "logprobs": logprobs} if tokens else {"response": text}


def test_the_tokens_of_a_character_are_one_piece() -> None:
    half = Logprob("\ufffd", -1)
    [piece, _] = read(line("ü", "\ufffd", "\ufffd"), {"done": True})
    assert piece == Piece("ü", (half, half), tokens=2)


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        pytest.param(
            [line("<|channel|>analysis", "<|channel|>", "analysis")],
            ["<|channel|>", "analysis"],
            id="a marker in a joined line",
        ),
        pytest.param(
            [line("<|end|> ends", "<", "|", "end", "|>", " ends")],
            ["<", "|", "end", "|>", " ends"],
            id="a marker spelled out in a joined line",
        ),
        pytest.param(
            [line("ü<|end|>", "\ufffd", "\ufffd", "<|end|>"), line("x", "x")],
            ["ü", "<|end|>", "x"],
            id="a marker after a character of two tokens",
        ),
        pytest.param(
            [line("a", "a", "\ufffd", "<|end|>"), line("<|start|>", "<|start|>")],
            ["a", "\ufffd", "<|end|>", "<|start|>"],
            id="a marker that Ollama dropped after a part of a character",
        ),
        pytest.param(
            # Recorded with v0.24.
            [line("<", "<", "\ufffd", "\ufffd", "encil"), line("|", "|")],
            ["<", "\ufffd\ufffd", "encil", "|"],
            id="text that Ollama dropped after a part of a character",
        ),
        pytest.param([line("a <", "a", " <|e")], ["a", " <"], id="a token cut by a stop string"),
        pytest.param(
            [line("<|channel|>analysis", "<|channel|>analysis")],
            ["<|channel|>", "analysis"],
            id="an Ollama that reports the line as a token",
        ),
        pytest.param(
            [line("<|channel|>analysis"), line("<|end"), line("|>x")],
            ["<|channel|>", "analysis", "<|end", "|>x"],
            id="an Ollama that reports no tokens",
        ),
    ],
)
def test_lines_that_ollama_joined_because_of_a_stop_string(
    lines: list[GenerateLine], texts: list[str]
) -> None:
    items = read(*lines, {"done": True}, completion=STOPPING)
    assert [item.text for item in items if isinstance(item, Piece)] == texts
    assert not any(item.logprobs for item in items if isinstance(item, Piece))


@pytest.mark.parametrize(
    "line",
    [
        {"response": 5},
        {"response": "a", "done": 1},
        {"response": "a", "logprobs": [{}]},
        {"response": "a", "logprobs": [5]},
        {"response": "a", "logprobs": 5},
        {"response": "a", "logprobs": [{"token": "a", "logprob": "x"}]},
        {"response": "a", "logprobs": [{"token": "a", "logprob": -1, "bytes": ["x"]}]},
        {"response": "a", "logprobs": [{"token": "a", "logprob": -1, "top_logprobs": [{"token": 5}]}]},
        {"done": True, "eval_count": "x"},
        {"done": True, "eval_count": True},
    ],
)
def test_a_line_of_an_unexpected_form(line: Json) -> None:
    with pytest.raises(StreamCut, match=r"an event of an unexpected form: \{.*Try again") as caught:
        list(GenerateReader(PROBABILITIES).feed(line))
    assert [*line][-1] in str(caught.value)
