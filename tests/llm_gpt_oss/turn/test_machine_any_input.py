"Properties that hold for any text and any errors that an engine sends."

from __future__ import annotations

from dataclasses import replace
from itertools import count, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.scripted_engine import pieces
from support.turn_requests import (
    ANSWER,
    CITY,
    FINAL,
    HISTORY,
    PERSON,
    PREAMBLE,
    START,
    THOUGHT,
    TOOLS,
    assistant,
    build_request,
    call_opener,
    play_turn,
    user,
)

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.errors import (
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    GptOssError,
    StreamCut,
    UnusableSchema,
)
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.request import TurnRequest
from llm_gpt_oss.turn.transcript import Text

TALK = [
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
    "assistant",
    "user",
    "analysis",
    "final",
    "commentary",
    " to=functions.get_weather",
    " to=functions.nobody",
    " to=x",
    "json",
    " ",
    "Hm",
    "é",
    '{"city":"Oslo"}',
    '{"city":',
    '{"name":"Ada"}',
    "7}",
    "{}",
    THOUGHT,
    FINAL,
    PREAMBLE,
    call_opener(),
    f"<|end|>{START}",
]
ENDS = [Done("stop"), Done("length"), Done("stop", 9, 9), Done("length", 9, 9)]
FAILURES = [
    EngineBusy("busy"),
    EmptyStream("nothing"),
    UnusableSchema("odd"),
    ContextOverflow("full"),
    ContextOverflow("full", prompt_tokens=2000, context_length=1000),
    StreamCut("cut"),
]
engine_parts = st.tuples(
    st.lists(st.sampled_from(TALK).map(Piece), max_size=8), st.sampled_from([*ENDS, *FAILURES])
).map(lambda part: [*part[0], part[1]])
parts = st.lists(engine_parts, min_size=1, max_size=8)


@st.composite
def requests(draw: st.DrawFn) -> TurnRequest:
    tools = draw(st.sampled_from([{}, CITY, TOOLS]))
    messages = draw(st.sampled_from([[user("Hi")], HISTORY]))
    open_channel = draw(st.sampled_from([None, None, "analysis", "final", "commentary"]))
    if open_channel:
        messages = [*messages, assistant("So f", open_channel)]
    return build_request(
        *messages,
        continue_final_message=bool(open_channel),
        tools=tools,
        required_tools=tuple(draw(st.sampled_from([(), tuple(tools), tuple(tools)[:1]]))),
        single_call=draw(st.booleans()),
        format=draw(st.sampled_from([None, PERSON])),
        stop=draw(st.sampled_from([(), ("7",)])),
        uses_reasoning=draw(st.booleans()),
        reasoning_budget=draw(st.sampled_from([None, 5])),
        truncate=draw(st.booleans()),
        buffer_answer=draw(st.booleans()),
        max_tokens=draw(st.sampled_from([None, 20])),
    )


@given(requests(), parts)
def test_every_turn_ends(turn_request: TurnRequest, script: list[list[Any]]) -> None:
    machine, raws, error = TurnMachine(turn_request), [], None
    shown: list[tuple[int, str]] = []
    for n in count():
        if (completion := machine.next_completion()) is None:
            break
        assert completion.max_tokens is None or completion.max_tokens > 0
        part = script[min(n, len(script) - 1)]
        *sent, end = part
        # Contract: an error after which the request can be sent again comes before the first piece.
        if isinstance(end, GptOssError) and not isinstance(end, StreamCut):
            sent = []
        raws.append("".join(piece.text for piece in sent))
        try:
            for item in sent if isinstance(end, GptOssError) else [*sent, end]:
                shown += [(n, out.text) for out in machine.feed(item) if isinstance(out, Text)]
            if isinstance(end, GptOssError):
                machine.on_error(end)
        except GptOssError as raised:
            error = raised
            break
        # Two tries of up to four steps, three busy retries, an empty stream, dropped turns, bad calls.
        assert n < 20 + sum(raw.count("to=") for raw in raws)
    assert error or machine.finish_reason
    if turn_request.buffer_answer and turn_request.format:
        assert all(text in "".join(raws) for _, text in shown)
        return
    for n, raw in enumerate(raws):
        at = 0
        for text in (text for number, text in shown if number == n):
            assert (at := raw.find(text, at) + len(text)) >= len(text)


@given(st.data())
def test_the_turn_does_not_depend_on_how_the_text_is_cut(data: st.DataObject) -> None:
    request, script = data.draw(requests()), data.draw(parts)
    # A completion that the machine ends itself has no counts of the engine: its pieces count as tokens.
    request = replace(request, defaults=replace(request.defaults, max_tokens=None))
    scripts = [part for part in script if isinstance(part[-1], Done)] or [[*pieces(ANSWER), Done("stop")]]
    whole = [[*pieces("".join(p.text for p in part[:-1])), without_counts(part[-1])] for part in scripts] * 9
    other = [[*cut_anywhere(data, "".join(p.text for p in part[:-1])), part[-1]] for part in whole]
    turns = [result_of(request, script) for script in (whole, other)]
    assert turns[0] == turns[1]


def without_counts(done: Done) -> Done:
    "The same counts, because an engine counts tokens and not pieces."
    return replace(done, prompt_tokens=9, completion_tokens=9)


def cut_anywhere(data: st.DataObject, text: str) -> list[Piece]:
    "Other pieces of the same text. Each marker is a piece by itself."
    markers = [match.span() for match in MARKER.finditer(text)]
    inside = {at for start, end in markers for at in range(start + 1, end)}
    positions = sorted(set(range(1, len(text))) - inside)
    chosen = data.draw(st.sets(st.sampled_from(positions), max_size=6)) if positions else set()
    cuts = sorted({0, len(text), *chosen, *(at for span in markers for at in span)})
    return [Piece(text[start:end]) for start, end in pairwise(cuts)]


def result_of(request: TurnRequest, script: list[list[Any]]) -> Any:
    turn = play_turn(request, *script)
    notes = [(note.kind, note.raw) for note in turn.machine.notes]
    return turn.parts, turn.completions, notes, turn.machine.finish_reason, str(turn.error)
