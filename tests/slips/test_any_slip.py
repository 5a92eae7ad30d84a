"""Four properties of a turn, whatever the model writes.

`support.slips.grammar` draws the texts: harmony with parts that are lost, doubled or swapped, and with text
between them. `support.slips.reading` says what they certainly contain. Its docstring defines when a message
is there, and when a call is readable. The engine splits all text except markers into single characters, and
obeys stop strings. If the turn has opened a message, the engine writes text that fits.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import llm
from hypothesis import given
from hypothesis import strategies as st
from support.slips import reading
from support.slips.grammar import texts
from support.slips.row import FINAL, Token, generated
from support.slips.shapes import NUMBER, TWO_TOOLS
from support.turn_requests import join_texts

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.errors import BadAnswer, GptOssError
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.run import run_turn
from llm_gpt_oss.turn.transcript import Text, ToolCall

MODEL = GptOss("gpt-oss:20b", Settings.from_env({}))
TOOLS = [llm.Tool(name, "", parameters) for name, parameters in TWO_TOOLS.items()]
REQUESTS = st.sampled_from(
    [
        {},
        {"tools": TOOLS},
        {"tools": TOOLS, "reasoning_effort": "none"},
        {"tools": TOOLS, "tool_choice": "none"},
        {"schema": NUMBER},
        {"schema": NUMBER, "tools": TOOLS},
        {"stop": ["STOP"]},
        {"stop": ["STOP"], "tools": TOOLS},
    ]
)
SOME_TEXTS = st.lists(texts(), min_size=1, max_size=2)
ANSWER = "Done."
NUMBER_TEXT = '{"n": 1}'


@dataclass
class SlippingEngine:
    "Writes the drawn texts if the model has to open messages itself, and text that fits otherwise."

    drawn: Sequence[str]
    written: list[list[Token]] = field(default_factory=list)
    slipped: list[list[Token]] = field(default_factory=list)

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        assert len(self.written) < 8, "the turn does not end"
        text = self._text(completion)
        tokens, _ = generated(text, completion.stop, characters=True)
        self.written.append(tokens)
        yield from (Piece(token.text) for token in tokens)
        yield Done("stop", 10, len(tokens) + 1)

    def _text(self, completion: Completion) -> str:
        if completion.format == NUMBER:
            return NUMBER_TEXT
        if completion.format:
            return '{"city": "Retry", "title": "Retry"}'
        if completion.prompt.endswith("<|message|>"):
            return f"{ANSWER} STOP"
        number = len(self.slipped)
        text = self.drawn[number] if number < len(self.drawn) else FINAL + ANSWER
        tokens, _ = generated(text, completion.stop, characters=True)
        self.slipped.append(tokens)
        return text


@dataclass
class Turn:
    "A turn that was played to its end."

    machine: TurnMachine
    engine: SlippingEngine
    output: list[Text | ToolCall] = field(default_factory=list)
    error: GptOssError | None = None

    @property
    def shown(self) -> list[tuple[str, str]]:
        texts = join_texts([item for item in self.output if isinstance(item, Text)])
        return [(channel, text) for channel, text in texts if channel != "analysis"]

    @property
    def reasoning(self) -> str:
        return "".join(
            item.text for item in self.output if isinstance(item, Text) and item.channel == "analysis"
        )

    @property
    def calls(self) -> list[ToolCall]:
        return [item for item in self.output if isinstance(item, ToolCall)]


def play(request: dict[str, object], drawn: Sequence[str], stream: bool) -> Turn:
    fields = {name: request.get(name) for name in ("tools", "schema")}
    options = {name: value for name, value in request.items() if name not in fields}
    prompt = llm.Prompt("Hi", MODEL, options=MODEL.Options(**options), **fields)
    machine, _ = MODEL.start_turn(prompt, stream=stream, date="2026-11-22")
    turn = Turn(machine, SlippingEngine(drawn))
    try:
        for item in run_turn(machine, turn.engine):
            turn.output.append(item)
    except GptOssError as error:
        turn.error = error
    return turn


def offered(request: dict[str, object]) -> set[str]:
    return set(TWO_TOOLS) if "tools" in request and request.get("tool_choice") != "none" else set()


@given(REQUESTS, SOME_TEXTS, st.booleans())
def test_no_marker_and_no_header_reaches_a_user(
    request: dict[str, object], drawn: list[str], stream: bool
) -> None:
    """The output of a turn contains no marker, and all text that is shown is the text of a message.

    If a completion has no header at all, its text is the answer.
    """
    turn = play(request, drawn, stream)
    values = [turn.reasoning, *(text for _, text in turn.shown)]
    values += [f"{call.name} {call.arguments.text}" for call in turn.calls]
    assert not any(MARKER.search(value) for value in values)
    bodies = [ANSWER, f"{ANSWER} ", f"{ANSWER} STOP", NUMBER_TEXT]
    for tokens in turn.engine.written:
        bodies += reading.bodies(tokens)
    for _, text in turn.shown:
        assert any(text.strip() in body for body in bodies)


@given(REQUESTS, SOME_TEXTS, st.booleans())
def test_a_final_message_that_is_there_is_the_answer(
    request: dict[str, object], drawn: list[str], stream: bool
) -> None:
    turn = play(request, drawn, stream)
    shown = [text for channel, text in turn.shown if channel == "final"]
    for tokens in turn.engine.slipped:
        for body in reading.answers(tokens):
            assert body in shown


@given(REQUESTS, SOME_TEXTS, st.booleans())
def test_a_call_that_is_on_offer_and_readable_is_given_out_once(
    request: dict[str, object], drawn: list[str], stream: bool
) -> None:
    turn = play(request, drawn, stream)
    given_out = [(call.name, call.arguments.value) for call in turn.calls]
    assert {name for name, _ in given_out} <= offered(request)
    for tokens in turn.engine.slipped:
        for name, arguments in reading.readable_calls(tokens):
            if name in offered(request) and arguments.keys() == set(TWO_TOOLS[name]["required"]):
                assert given_out.count((name, arguments)) == 1


@given(REQUESTS, SOME_TEXTS, st.booleans())
def test_every_turn_ends_in_an_answer_or_calls_or_an_error_with_the_text(
    request: dict[str, object], drawn: list[str], stream: bool
) -> None:
    turn = play(request, drawn, stream)
    if turn.error:
        assert isinstance(turn.error, BadAnswer)
        assert turn.error.raw in ["".join(token.text for token in tokens) for tokens in turn.engine.written]
        return
    reason = turn.machine.finish_reason
    assert reason == ("tool_calls" if turn.calls else "stop")
    assert turn.calls or any(text.strip() for _, text in turn.shown)
