from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from support.scripted_engine import pieces, spoken
from support.turn_requests import FINAL, PERSON, PREAMBLE, START, THOUGHT, build_request, call_opener

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.harmony.conversation import Header, Message
from llm_gpt_oss.harmony.reader import StrayText
from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.messages import call_header
from llm_gpt_oss.turn.steps import ANALYSIS, ANSWER_OPENER, Step
from llm_gpt_oss.turn.steps import FINAL as ANSWER
from llm_gpt_oss.turn.transcript import Note, ParsedMessage, Text, Transcript
from llm_gpt_oss.turn.usage import Usage

NEXT = f"<|end|>{START}"
COMMENTARY = Header("assistant", "commentary")
REQUEST = build_request(tools={"f": None, "get_weather": None})


@dataclass
class Transcribed:
    "The result of a transcript. `parts` has the text of each message that was passed on."

    transcript: Transcript
    parts: dict[tuple[int, str], str]
    notes: list[Note]

    @property
    def messages(self) -> list[tuple[int, Header, str]]:
        return [(parsed.number, parsed.header, parsed.text) for parsed in self.transcript.messages]

    @property
    def called(self) -> list[tuple[str | None, bool]]:
        "The tool of each call, and whether it is certain."
        calls = [parsed for parsed in self.transcript.messages if parsed.is_call]
        return [(parsed.tool, parsed.is_certain_call) for parsed in calls]

    @property
    def dropped(self) -> list[StrayText]:
        return self.transcript.dropped


def transcribe(
    text: str | list[Piece], step: Step | None = None, number: int = 0, **fields: Any
) -> Transcribed:
    notes: list[Note] = []
    request = build_request(**{"tools": REQUEST.tools, **fields})
    transcript = Transcript(request, step or Step("free"), number, notes, Usage())
    parts: dict[tuple[int, str], str] = {}
    for out in translate(pieces(text) if isinstance(text, str) else text, transcript):
        parts[out.message, out.channel] = parts.get((out.message, out.channel), "") + out.text
    return Transcribed(transcript, parts, notes)


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
            f"{PREAMBLE}Look up.{NEXT}{call_opener('nobody')}{{}}{NEXT}{FINAL}Yes.",
            {(0, "commentary"): "Look up.", (2, "final"): "Yes."},
            [
                (0, COMMENTARY, "Look up."),
                (1, call_header("nobody"), "{}"),
                (2, ANSWER, "Yes."),
            ],
            id="preamble, call of a tool that is not on offer, answer",
        ),
        pytest.param(
            f"{FINAL}One.{NEXT}{FINAL}Two.",
            {(0, "final"): "One.", (1, "final"): "Two."},
            [(0, ANSWER, "One."), (1, ANSWER, "Two.")],
            id="two answers",
        ),
        pytest.param(f"{FINAL}a<|end|>", {(0, "final"): "a"}, [(0, ANSWER, "a")], id="nothing after an end"),
        pytest.param(f"{FINAL}", {}, [(0, ANSWER, "")], id="empty answer"),
    ],
)
def test_messages(text: str, parts: object, messages: object) -> None:
    transcribed = transcribe(text)
    assert (transcribed.parts, transcribed.messages, transcribed.notes) == (parts, messages, [])
    assert (transcribed.dropped, transcribed.transcript.text_without_header()) == ([], None)


def test_numbers_continue_in_the_next_completion() -> None:
    transcribed = transcribe(f"{THOUGHT}a{NEXT}{FINAL}b", number=7)
    assert list(transcribed.parts) == [(7, "analysis"), (8, "final")]
    assert [number for number, *_ in transcribed.messages] == [7, 8]
    assert transcribed.transcript.number == 9


WITH_ANSWER_STEP = Step("free", stop=(ANSWER_OPENER,))
THINK = Step("think", ANALYSIS)


@pytest.mark.parametrize(
    ("text", "step", "fields", "parts", "dropped"),
    [
        pytest.param(
            f"{PREAMBLE}Look.{NEXT}{FINAL}Yes.",
            None,
            {"format": PERSON},
            {(0, "analysis"): "Look.", (1, "final"): "Yes."},
            [],
            id="with a schema, a preamble is reasoning",
        ),
        pytest.param(
            f"{THOUGHT}Hm.{NEXT}{FINAL}Yes.",
            WITH_ANSWER_STEP,
            {},
            {(0, "analysis"): "Hm."},
            [StrayText("Yes.", True)],
            id="an answer before its own step",
        ),
        pytest.param(
            f"{PREAMBLE}Look.{NEXT}{THOUGHT}Hm.",
            WITH_ANSWER_STEP,
            {},
            {(0, "commentary"): "Look.", (1, "analysis"): "Hm."},
            [],
            id="other messages before an answer step",
        ),
        pytest.param(
            f"Hm.{NEXT}{PREAMBLE}Look.{NEXT}{FINAL}Yes.{NEXT}{THOUGHT}So.",
            THINK,
            {},
            {(0, "analysis"): "Hm.", (3, "analysis"): "So."},
            [StrayText("Look.", True), StrayText("Yes.", True)],
            id="other messages in a think step",
        ),
        pytest.param(
            f"Hm.{NEXT}{PREAMBLE}Look.",
            THINK,
            {"format": PERSON},
            {(0, "analysis"): "Hm.", (1, "analysis"): "Look."},
            [],
            id="preamble in a think step, with a schema",
        ),
        pytest.param(
            f"{call_opener('f')}{{}}{NEXT}{FINAL}Done.{NEXT}{THOUGHT}Hm.",
            None,
            {},
            {},
            [StrayText("Done.", True), StrayText("Hm.", True)],
            id="messages after a call",
        ),
        pytest.param(
            f"{call_opener('f')}{{}}{NEXT}{call_opener('nobody')}{{}}{NEXT}{FINAL}Done.",
            None,
            {},
            {},
            [StrayText("Done.", True)],
            id="message after a call and one of a tool that is not on offer",
        ),
        pytest.param(
            f"{call_opener('f')}{{}}{NEXT}{FINAL} ",
            None,
            {},
            {},
            [],
            id="blank message after a call",
        ),
        pytest.param(
            f"{call_opener('nobody')}{{}}{NEXT}{FINAL}Done.",
            None,
            {},
            {(1, "final"): "Done."},
            [],
            id="answer after a call of a tool that is not on offer",
        ),
        pytest.param(
            f"{call_opener('f')}{{}}{NEXT}{call_opener('get_weather')}{{}}",
            None,
            {},
            {},
            [],
            id="two calls",
        ),
        pytest.param(
            "assistant<|message|>Hello",
            None,
            {},
            {},
            [StrayText("Hello", True)],
            id="no channel",
        ),
        pytest.param(
            f"<|channel|>??{NEXT}{FINAL}Yes.",
            None,
            {},
            {(0, "final"): "Yes."},
            [StrayText("??", True)],
            id="header without a message",
        ),
        pytest.param(
            f"Oops{NEXT}{THOUGHT}Hm.<|end|>Ah{START}{FINAL}Yes.",
            None,
            {},
            {(0, "analysis"): "Hm.", (1, "final"): "Yes."},
            [StrayText("Oops", False), StrayText("Ah", False)],
            id="text outside of messages",
        ),
        pytest.param(
            f"{FINAL}Yes.<|end|><|start|>user<|message|>And?<|end|>Oops",
            None,
            {},
            {(0, "final"): "Yes."},
            [],
            id="text after a message of somebody else",
        ),
    ],
)
def test_what_is_shown(
    text: str, step: Step | None, fields: dict[str, Any], parts: object, dropped: object
) -> None:
    transcribed = transcribe(text, step, **fields)
    assert transcribed.parts == parts
    assert transcribed.dropped == dropped
    assert transcribed.transcript.text_without_header() is None
    shown = [parsed for parsed in transcribed.transcript.messages if not parsed.is_call]
    assert {(parsed.number, parsed.shown_as): parsed.text for parsed in shown} == parts


@pytest.mark.parametrize(
    ("text", "plain_text"),
    [
        pytest.param("Hello.", "Hello.", id="plain"),
        pytest.param(" Hello. \n", " Hello. \n", id="blanks around it"),
        pytest.param("assistant Hello.", " Hello.", id="only a role"),
        pytest.param("Hello.<|end|><|start|>assistant There.", None, id="twice"),
        pytest.param("", None, id="nothing"),
        pytest.param(" \n", None, id="blank"),
        pytest.param("<|channel|>final Hello.", None, id="header without a message marker"),
        pytest.param(f"Hello.<|end|>{START}<|channel|>??", None, id="header after it"),
        pytest.param(f"Hello.<|end|>{START}{FINAL}Yes.", None, id="answer after it"),
        pytest.param(f"{FINAL}Yes.<|end|>Hello.", None, id="answer before it"),
        pytest.param(f"Hello.<|end|>{START}{FINAL}", None, id="empty answer after it"),
    ],
)
def test_plain_text(text: str, plain_text: str | None) -> None:
    transcribed = transcribe(text)
    answer = transcribed.transcript.text_without_header()
    assert (answer and answer.text) == plain_text
    assert not plain_text or (transcribed.parts, transcribed.messages) == ({}, [])


@pytest.mark.parametrize(
    ("text", "called"),
    [
        pytest.param(f"{call_opener('f')}{{}}", [("f", True)], id="on offer"),
        pytest.param("<|channel|>commentary f<|message|>Hm.", [("f", True)], id="without to="),
        pytest.param(f"{call_opener('nobody')}{{}}", [(None, False)], id="not on offer"),
        pytest.param("<|channel|>analysis to=python code<|message|>1", [(None, False)], id="built-in tool"),
        pytest.param("<|channel|>commentary to=nobody<|message|>{}", [(None, False)], id="no tool"),
        pytest.param('<|channel|>commentary to=f {"a":1}', [("f", True)], id="JSON without a message marker"),
        pytest.param("<|channel|>commentary to=f go on", [("f", False)], id="text without a message marker"),
        pytest.param("<|channel|>final to=user<|message|>Yes.", [], id="recipient that is not a tool"),
        pytest.param(
            f"<|channel|>commentary to=f go on{NEXT}{FINAL}Yes.{NEXT}{call_opener('f')}{{}}",
            [("f", False), ("f", True)],
            id="an uncertain call, and a certain one",
        ),
    ],
)
def test_calls(text: str, called: object) -> None:
    assert transcribe(text).called == called


def test_text_after_an_uncertain_call_is_shown() -> None:
    assert transcribe(f"<|channel|>commentary to=f go on{NEXT}{FINAL}Yes.").parts == {(1, "final"): "Yes."}


def test_no_tools_are_on_offer() -> None:
    assert transcribe(f"{call_opener('f')}{{}}", tools={}).called == [(None, False)]


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
            Step("free", COMMENTARY, "Look "),
            "up.",
            {(0, "commentary"): "up."},
            [Message(COMMENTARY, "Look up.")],
            id="a preamble is continued",
        ),
        pytest.param(
            Step("answer", ANSWER, format={}),
            '"<|end|>',
            {(0, "final"): '"<|end|>'},
            [Message(ANSWER, '"<|end|>')],
            id="constrained text has no markers",
        ),
        pytest.param(Step("name"), ".add <|constrain|>json", {}, [], id="a name is no message"),
        pytest.param(
            Step("call", call_header("f"), format={}), "{}", {}, [Message(call_header("f"), "{}")], id="call"
        ),
    ],
)
def test_a_step_that_begins_inside_a_message(step: Step, text: str, parts: object, messages: object) -> None:
    transcribed = transcribe(text, step)
    assert transcribed.parts == parts
    assert [parsed.message for parsed in transcribed.transcript.messages] == messages
    assert (transcribed.transcript.raw, transcribed.notes, transcribed.dropped) == (text, [], [])


@pytest.mark.parametrize(
    "header",
    [ANSWER, ANALYSIS, Header("assistant"), Header("assistant", None, "f")],
    ids=["final", "analysis", "no channel", "call"],
)
def test_the_next_prompt_shows_the_message(header: Header) -> None:
    assert ParsedMessage(0, header, "a", "b").message == Message(header, "ab")


MENDED = "The header of a message was repaired: "


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        pytest.param(f"{FINAL}Yes.", [], id="none"),
        pytest.param(
            "final<|message|>Yes.", [Note("mended", f"{MENDED}channel missing")], id="channel missing"
        ),
        pytest.param(
            "<|channel|>Final<|channel|>final<|message|>Yes.",
            [
                Note("mended", f"{MENDED}channel named twice"),
                Note("mended", f"{MENDED}channel 'Final' read as final"),
            ],
            id="two repairs",
        ),
        pytest.param(
            "<|channel|>final to=user<|message|>Yes.",
            [Note("mended", f"{MENDED}recipient user is not a tool")],
            id="recipient that is not a tool",
        ),
        pytest.param(
            "<|channel|>analysis Hm.", [Note("mended", f"{MENDED}header's end missing")], id="end missing"
        ),
        pytest.param(
            "<|channel|>commentary to=f <|constrain|>json<|message|>{}",
            [Note("renamed", "The model wrote the name of the tool f differently.", "f")],
            id="recipient without functions.",
        ),
        pytest.param(
            'to="functions.f"{}',
            [
                Note("mended", f"{MENDED}channel missing"),
                Note("mended", f"{MENDED}header's end missing"),
                Note("renamed", "The model wrote the name of the tool f differently.", '"functions.f"'),
            ],
            id="renamed and repaired",
        ),
        pytest.param(
            "<|channel|>final<|message|>a<|end|><|start|>user<|channel|>Final<|message|>b<|end|>"
            "<|start|>assistant<|channel|>Final<|message|>c",
            [Note("spoke_for_others", "A message that the model wrote as user was left out.")],
            id="none for messages that are left out",
        ),
        pytest.param("Hello", [], id="none for text outside of messages"),
        pytest.param("assistant<|message|>Hello", [], id="none for a message that is not shown"),
    ],
)
def test_notes_of_headers(text: str, notes: list[Note]) -> None:
    assert transcribe(text).notes == notes


@pytest.mark.parametrize(
    ("header", "author"),
    [
        pytest.param(header, author, id=author)
        for header, author in [
            ("<|start|>user<|message|>And", "user"),
            ("<|start|>functions.f to=assistant<|channel|>commentary<|message|>21", "functions.f"),
            ("<|start|>f to=assistant<|channel|>commentary<|message|>21", "f"),
            ("<|start|>system<|message|>You", "system"),
        ]
    ]
    + [
        pytest.param(
            "<|start|>user<|channel|>final<|channel|>final<|message|>And",
            "user",
            id="user, channel named twice",
        )
    ],
)
def test_messages_that_the_model_writes_for_others_are_left_out(header: str, author: str) -> None:
    transcribed = transcribe(f"{FINAL}Yes.<|end|>{header} more<|end|>{START}{FINAL}No.")
    assert transcribed.parts == {(0, "final"): "Yes."}
    assert transcribed.messages == [(0, ANSWER, "Yes.")]
    assert transcribed.dropped == []
    assert transcribed.notes == [
        Note("spoke_for_others", f"A message that the model wrote as {author} was left out.")
    ]
    assert transcribed.transcript.raw.endswith("No.")


@pytest.mark.parametrize(
    ("text", "fields", "reasoning_tokens"),
    [
        pytest.param(f"{THOUGHT}one two three{NEXT}{FINAL}four", {}, 3, id="reasoning"),
        pytest.param(f"{PREAMBLE}one two{NEXT}{FINAL}four", {}, 0, id="preamble"),
        pytest.param(
            f"{PREAMBLE}one two{NEXT}{FINAL}four", {"format": PERSON}, 2, id="preamble, with a schema"
        ),
        pytest.param("<|channel|>analysis to=functions.f<|message|>{}", {}, 0, id="call"),
        pytest.param(f"{call_opener('f')}{{}}{NEXT}{THOUGHT}one", {}, 0, id="reasoning after a call"),
    ],
)
def test_reasoning_tokens(text: str, fields: dict[str, Any], reasoning_tokens: int) -> None:
    usage = Usage()
    request = build_request(tools=REQUEST.tools, **fields)
    transcript = Transcript(request, Step("free"), 0, [], usage)
    list(translate(pieces(text), transcript))
    usage.end_completion(Done("stop", completion_tokens=len(pieces(text)) + 1), hidden=1)
    assert (usage.reasoning_tokens, usage.completion_tokens) == (reasoning_tokens, len(pieces(text)) + 1)
    assert transcript.reasoning_tokens == reasoning_tokens


def test_log_probabilities_stay_with_their_text_and_give_the_exact_count() -> None:
    usage = Usage()
    parts = spoken("日本", "語")
    reasoning_header = [Piece(marker) for marker in ("<|channel|>", "analysis", "<|message|>")]
    texts = list(translate([*reasoning_header, *parts], Transcript(REQUEST, Step("free"), 0, [], usage)))
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


def test_a_copied_marker_is_restored() -> None:
    transcribed = transcribe([*pieces(FINAL), Piece("a <\u2060|e"), Piece("nd|> b")])
    assert transcribed.parts == {(0, "final"): "a <|end|> b"}
    assert transcribed.messages == [(0, ANSWER, "a <|end|> b")]
    assert transcribed.transcript.raw == f"{FINAL}a <\u2060|end|> b"


@pytest.mark.parametrize("missing", [0, 4], ids=["all tokens in pieces", "four tokens missing"])
def test_joined_pieces_count_as_the_pieces_that_they_join(missing: int) -> None:
    single = [
        Piece(text)
        for piece in JOINED
        for text in ([piece.text] if piece.tokens == 1 else split(piece.text, piece.tokens))
    ]
    counts = []
    for items in (JOINED, single):
        usage = Usage()
        texts = list(translate(items, Transcript(REQUEST, Step("free"), 0, [], usage)))
        assert "".join(text.text for text in texts) == " a b日本語c d eé"
        running = usage.completion_tokens
        usage.end_completion(Done("stop", completion_tokens=len(single) + 1 + missing), hidden=1)
        counts.append((running, usage.completion_tokens, usage.reasoning_tokens))
    assert counts[0] == counts[1] == (len(single), len(single) + 1 + missing, 5 + round(missing * 3 / 4))


def split(text: str, number: int) -> list[str]:
    size = -(-len(text) // number)
    return [text[start : start + size] for start in range(0, len(text), size)]
