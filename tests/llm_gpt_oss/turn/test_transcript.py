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


def transcribe(text: str | list[Piece], step: Step | None = None, number: int = 0) -> Any:
    "Return (text by message, (number, header, text) of each complete message, notes, transcript)."
    notes: list[Note] = []
    transcript = Transcript(step or Step("free"), number, notes, Usage())
    parts: dict[tuple[int, str], str] = {}
    for out in translate(pieces(text) if isinstance(text, str) else text, transcript):
        parts[out.message, out.channel] = parts.get((out.message, out.channel), "") + out.text
    messages = [(parsed.number, parsed.header, parsed.text) for parsed in transcript.messages]
    return parts, messages, [(note.kind, note.text) for note in notes], transcript


def final(text: str) -> Header:
    return Header("assistant", text)


@pytest.mark.parametrize(
    ("text", "parts", "messages"),
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
        pytest.param(f"{FINAL}a<|end|>", {(0, "final"): "a"}, [(0, ANSWER, "a")], id="nothing after an end"),
    ],
)
def test_messages(text: str, parts: object, messages: object) -> None:
    assert transcribe(text)[:3] == (parts, messages, [])


def test_numbers_continue_in_the_next_completion() -> None:
    parts, messages, _, transcript = transcribe(f"{THOUGHT}a{NEXT}{FINAL}b", number=7)
    assert (list(parts), [number for number, *_ in messages], transcript.number) == (
        [(7, "analysis"), (8, "final")],
        [7, 8],
        9,
    )


@pytest.mark.parametrize(
    ("step", "text", "parts", "messages"),
    [
        pytest.param(
            Step("answer", ANSWER, "War"),
            "m.",
            {(0, "final"): "m."},
            [Message(ANSWER, "Warm.")],
            id="the prefix is part of the message, and not of the text",
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
def test_a_step_that_begins_inside_a_message(step: Step, text: str, parts: object, messages: object) -> None:
    actual, _, notes, transcript = transcribe(text, step)
    assert actual == parts
    assert [parsed.message for parsed in transcript.messages] == messages
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
def test_the_next_prompt_shows_a_known_channel(header: Header, message: Header) -> None:
    assert ParsedMessage(0, header, "a", "b").message == Message(message, "ab")


def test_a_repaired_header_has_a_note() -> None:
    _, messages, notes, _ = transcribe("<|channel|>commentary to=f <|constrain|>json<|message|>{}")
    assert [header.recipient for _, header, _ in messages] == ["f"]
    assert notes == [("mended", "The header of a message was repaired: recipient without functions.")]


@pytest.mark.parametrize(
    ("header", "author"),
    [
        ("<|start|>user<|message|>And", "user"),
        ("<|start|>functions.f to=assistant<|channel|>commentary<|message|>21", "functions.f"),
        ("<|start|>system<|message|>You", "system"),
        ("<|start|>user<|channel|>final<|channel|>final<|message|>And", "user"),
    ],
)
def test_messages_that_the_model_writes_for_others_are_left_out(header: str, author: str) -> None:
    parts, messages, notes, transcript = transcribe(
        f"{FINAL}Yes.<|end|>{header} more<|end|>{START}{FINAL}No."
    )
    assert parts == {(0, "final"): "Yes."}
    assert messages == [(0, ANSWER, "Yes.")]
    assert notes == [("spoke_for_others", f"A message that the model wrote as {author} was left out.")]
    assert transcript.raw.endswith("No.")


@pytest.mark.parametrize(
    ("text", "reasoning_tokens"),
    [
        (f"{THOUGHT}one two three{NEXT}{FINAL}four", 3),
        (f"{PREAMBLE}one two{NEXT}{FINAL}four", 0),
        ("<|channel|>analysis to=functions.f<|message|>{}", 0),
    ],
)
def test_reasoning_tokens(text: str, reasoning_tokens: int) -> None:
    usage = Usage()
    list(translate(pieces(text), Transcript(Step("free"), 0, [], usage)))
    usage.end_completion(Done("stop", completion_tokens=len(pieces(text)) + 1), hidden=1)
    assert (usage.reasoning_tokens, usage.completion_tokens) == (reasoning_tokens, len(pieces(text)) + 1)


def test_log_probabilities_stay_with_their_text_and_give_the_exact_count() -> None:
    usage = Usage()
    parts = spoken("日本", "語")
    reasoning_header = [Piece(marker) for marker in ("<|channel|>", "analysis", "<|message|>")]
    texts = list(translate([*reasoning_header, *parts], Transcript(Step("free"), 0, [], usage)))
    assert texts == [Text(0, "analysis", piece.text, piece.logprobs) for piece in parts]
    assert texts[1].logprobs == (Logprob("語", -0.5),)
    usage.end_completion(Done("stop", completion_tokens=3 + 3 + 1), hidden=1)
    assert usage.reasoning_tokens == 3


JOINED = [
    Piece("<|channel|>"),
    Piece("analysis"),
    Piece("<|message|>"),
    Piece(" a b", tokens=2),
    Piece("日本語", tokens=3),
    Piece("<|end|>"),
    Piece("<|start|>"),
    Piece("assistant"),
    Piece("<|channel|>"),
    Piece("final"),
    Piece("<|message|>"),
    Piece("c d e", tokens=3),
    Piece("é", tokens=1),
]


@pytest.mark.parametrize("missing", [0, 4])
def test_joined_pieces_count_as_the_pieces_that_they_join(missing: int) -> None:
    single = [
        Piece(text)
        for piece in JOINED
        for text in ([piece.text] if piece.tokens == 1 else split(piece.text, piece.tokens))
    ]
    counts = []
    for items in (JOINED, single):
        usage = Usage()
        texts = list(translate(items, Transcript(Step("free"), 0, [], usage)))
        assert "".join(text.text for text in texts) == " a b日本語c d eé"
        running = usage.completion_tokens
        usage.end_completion(Done("stop", completion_tokens=len(single) + 1 + missing), hidden=1)
        counts.append((running, usage.completion_tokens, usage.reasoning_tokens))
    assert counts[0] == counts[1] == (len(single), len(single) + 1 + missing, 5 + round(missing * 3 / 4))


def split(text: str, number: int) -> list[str]:
    size = -(-len(text) // number)
    return [text[start : start + size] for start in range(0, len(text), size)]
