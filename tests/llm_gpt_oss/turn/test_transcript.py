from __future__ import annotations

from typing import Any

import pytest
from support.scripted_engine import pieces, spoken
from support.turn_requests import FINAL, PREAMBLE, START, THOUGHT, call_opener

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.harmony.conversation import Header, Message
from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.messages import call_header
from llm_gpt_oss.turn.steps import ANALYSIS, Step
from llm_gpt_oss.turn.steps import FINAL as ANSWER
from llm_gpt_oss.turn.transcript import Note, ParsedMessage, Text, Transcript
from llm_gpt_oss.turn.usage import Usage

NEXT = f"<|end|>{START}"


def heard(text: str | list[Piece], step: Step | None = None, number: int = 0) -> Any:
    "(texts joined by message, (number, header, text) of what was written, notes, transcript)"
    notes: list[Note] = []
    transcript = Transcript(step or Step("free"), number, notes, Usage())
    said: dict[tuple[int, str], str] = {}
    for out in translate(pieces(text) if isinstance(text, str) else text, transcript):
        said[out.message, out.channel] = said.get((out.message, out.channel), "") + out.text
    written = [(writing.number, writing.header, writing.text) for writing in transcript.messages]
    return said, written, [(note.kind, note.text) for note in notes], transcript


def final(text: str) -> Header:
    return Header("assistant", text)


@pytest.mark.parametrize(
    ("text", "said", "written"),
    [
        pytest.param("", {}, [], id="nothing"),
        pytest.param(
            f"{THOUGHT}Hm.{NEXT}{FINAL}Yes.",
            {(0, "analysis"): "Hm.", (1, "final"): "Yes."},
            [(0, ANALYSIS, "Hm."), (1, ANSWER, "Yes.")],
            id="reasoning, answer",
        ),
        pytest.param(
            f"{PREAMBLE}Look up.{NEXT}{call_opener('f')}{{}}",
            {(0, "commentary"): "Look up."},
            [(0, Header("assistant", "commentary"), "Look up."), (1, call_header("f"), "{}")],
            id="preamble, call: no text of a call is passed on",
        ),
        pytest.param(
            "<|channel|>analysis to=functions.f <|constrain|>json<|message|>{}",
            {},
            [(0, Header("assistant", "analysis", "functions.f", "<|constrain|>json"), "{}")],
            id="a call among the reasoning is a call",
        ),
        pytest.param(
            "<|channel|>thoughts<|message|>Hm.",
            {(0, "final"): "Hm."},
            [(0, Header("assistant", "thoughts"), "Hm.")],
            id="an unknown channel is the answer",
        ),
        pytest.param(f"{FINAL}a<|end|>", {(0, "final"): "a"}, [(0, ANSWER, "a")], id="nothing behind an end"),
    ],
)
def test_messages(text: str, said: object, written: object) -> None:
    assert heard(text)[:3] == (said, written, [])


def test_messages_are_numbered_through_the_turn() -> None:
    said, written, _, transcript = heard(f"{THOUGHT}a{NEXT}{FINAL}b", number=7)
    assert (list(said), [number for number, *_ in written], transcript.number) == (
        [(7, "analysis"), (8, "final")],
        [7, 8],
        9,
    )


@pytest.mark.parametrize(
    ("step", "text", "said", "messages"),
    [
        pytest.param(
            Step("answer", ANSWER, "War"),
            "m.",
            {(0, "final"): "m."},
            [Message(ANSWER, "Warm.")],
            id="what the prompt begun is part of the message, and not said again",
        ),
        pytest.param(
            Step("answer", ANSWER, format={}),
            '"<|end|>',
            {(0, "final"): '"<|end|>'},
            [Message(ANSWER, '"<|end|>')],
            id="nothing is a marker while a grammar binds",
        ),
        pytest.param(Step("name"), ".add <|constrain|>json", {}, [], id="a name is no message"),
        pytest.param(
            Step("call", call_header("f"), format={}), "{}", {}, [Message(call_header("f"), "{}")], id="call"
        ),
    ],
)
def test_a_step_that_begins_inside(step: Step, text: str, said: object, messages: object) -> None:
    heard_, _, notes, transcript = heard(text, step)
    assert heard_ == said
    assert [writing.message for writing in transcript.messages] == messages
    assert (transcript.raw, notes) == (text, [])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (Header("assistant"), Header("assistant", "final")),
        (Header("assistant", "thoughts"), Header("assistant", "final")),
        (Header("assistant", "analysis"), Header("assistant", "analysis")),
        (Header("assistant", None, "f"), Header("assistant", None, "f")),
    ],
)
def test_a_message_goes_back_to_the_model_in_a_channel_that_it_knows(header: Header, message: Header) -> None:
    assert ParsedMessage(0, header, "a", "b").message == Message(message, "ab")


def test_a_mended_header_is_noted() -> None:
    _, written, notes, _ = heard("<|channel|>commentary to=f <|constrain|>json<|message|>{}")
    assert [header.recipient for _, header, _ in written] == ["f"]
    assert notes == [("mended", "The header of a message was repaired: recipient without functions.")]


@pytest.mark.parametrize(
    ("speaker", "who"),
    [
        ("<|start|>user<|message|>And", "user"),
        ("<|start|>functions.f to=assistant<|channel|>commentary<|message|>21", "functions.f"),
        ("<|start|>system<|message|>You", "system"),
        ("<|start|>user<|channel|>final<|channel|>final<|message|>And", "user"),
    ],
)
def test_what_the_model_says_for_others_is_left_out(speaker: str, who: str) -> None:
    said, written, notes, transcript = heard(f"{FINAL}Yes.<|end|>{speaker} more<|end|>{START}{FINAL}No.")
    assert said == {(0, "final"): "Yes."}
    assert written == [(0, ANSWER, "Yes.")]
    assert notes == [("spoke_for_others", f"A message that the model wrote as {who} was left out.")]
    assert transcript.raw.endswith("No.")


@pytest.mark.parametrize(
    ("text", "reasoning_tokens"),
    [
        (f"{THOUGHT}one two three{NEXT}{FINAL}four", 3),
        (f"{PREAMBLE}one two{NEXT}{FINAL}four", 0),
        ("<|channel|>analysis to=functions.f<|message|>{}", 0),
    ],
)
def test_reasoning_is_counted(text: str, reasoning_tokens: int) -> None:
    tally = Usage()
    list(translate(pieces(text), Transcript(Step("free"), 0, [], tally)))
    tally.end_completion(Done("stop", completion_tokens=len(pieces(text)) + 1), hidden=1)
    assert (tally.reasoning_tokens, tally.completion_tokens) == (reasoning_tokens, len(pieces(text)) + 1)


def test_log_probabilities_go_with_their_text_and_make_the_count_exact() -> None:
    tally = Usage()
    said = spoken("日本", "語")
    thought = [Piece(marker) for marker in ("<|channel|>", "analysis", "<|message|>")]
    texts = list(translate([*thought, *said], Transcript(Step("free"), 0, [], tally)))
    assert texts == [Text(0, "analysis", piece.text, piece.logprobs) for piece in said]
    assert texts[1].logprobs == (Logprob("語", -0.5),)
    tally.end_completion(Done("stop", completion_tokens=3 + 3 + 1), hidden=1)
    assert tally.reasoning_tokens == 3
