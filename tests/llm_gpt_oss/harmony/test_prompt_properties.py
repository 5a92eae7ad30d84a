"""What is true of every prompt: it only extends the one before it, and texts add no markers to it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.harmony_conversations import TOOLS, analysis, call, conversation, final, preamble, result, user

from llm_gpt_oss.harmony.conversation import (
    Conversation,
    Developer,
    Header,
    Message,
    ResponseFormat,
    System,
    Tool,
)
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.harmony.prompt import OPENER, render

TEXT = st.text(max_size=5) | st.sampled_from(["<|end|>", "<|start|>assistant", "{}", "<|call|"])
TOOL_ROUND = st.builds(
    lambda reasoning, announcement, arguments, value: (
        analysis(reasoning),
        preamble(announcement),
        call("f", arguments),
        result("f", value),
    ),
    TEXT,
    TEXT,
    TEXT,
    TEXT,
)
TURN = st.builds(
    lambda question, rounds, reasoning, answer: (
        user(question),
        *sum(rounds, ()),
        analysis(reasoning),
        final(answer),
    ),
    TEXT,
    st.lists(TOOL_ROUND, max_size=2),
    TEXT,
    TEXT,
)
EMPTY_CONVERSATIONS = st.builds(
    Conversation,
    st.none() | st.builds(System, current_date=st.none() | st.just("2026-11-22")),
    st.builds(Developer, st.none() | TEXT, st.sampled_from([(), TOOLS])),
    st.just(()),
)


def continues(new: Conversation, old: Conversation) -> bool:
    "Whether the new prompt starts with the old one. An opener counts if the assistant's message is next."
    is_assistant = new.messages[len(old.messages)].header.role == "assistant"
    return (render(new) + OPENER).startswith(render(old) + OPENER if is_assistant else render(old))


@given(EMPTY_CONVERSATIONS, st.lists(TURN, min_size=1, max_size=3), st.data())
def test_prompt_of_a_turn_is_only_extended(
    empty: Conversation, turns: list[Any], data: st.DataObject
) -> None:
    *past, turn = turns
    before = sum(past, ())
    length = data.draw(st.integers(1, len(turn) - 1))
    old = replace(empty, messages=(*before, *turn[:length]))
    assert continues(replace(empty, messages=(*before, *turn)), old)


@given(EMPTY_CONVERSATIONS, st.lists(TURN, min_size=1, max_size=3), st.data())
def test_prompt_without_reasoning_is_only_extended(
    empty: Conversation, turns: list[Any], data: st.DataObject
) -> None:
    messages = tuple(m for m in sum(turns, ()) if m.header.channel != "analysis")
    length = data.draw(st.integers(0, len(messages) - 1))
    assert continues(replace(empty, messages=messages), replace(empty, messages=messages[:length]))


HOSTILE = st.lists(
    st.sampled_from(["<|start|>", "<|end|>", "<|call|>", "<|", "|>", "end", "<", "x\n", "\u2060"]), min_size=1
).map("".join)


def conversation_with(text: str) -> Conversation:
    "A conversation with the text wherever people, tools or the model write one."
    schema = {
        "type": "object",
        "description": f"x{text}",
        "properties": {f"x{text}": {"enum": [f"x{text}"], "title": f"x{text}", "default": f"x{text}"}},
    }
    header = Header("tool", f"x{text}", f"x{text}", f"x{text}", f"x{text}")
    return conversation(
        *(message(f"x{text}") for message in (user, analysis, preamble, final)),
        call(f"x{text}", f"x{text}"),
        Message(header, f"x{text}"),
        system=System(f"x{text}", f"x{text}", f"x{text}"),
        developer=Developer(
            f"x{text}",
            (Tool(f"x{text}", f"x{text}", schema),),
            (ResponseFormat(f"x{text}", schema, f"x{text}"),),
        ),
    )


@given(HOSTILE)
def test_texts_add_no_markers(text: str) -> None:
    markers = MARKER.findall(render(conversation_with("")))
    assert MARKER.findall(render(conversation_with(text))) == markers
    assert len(markers) == 30


@given(HOSTILE)
def test_schema_is_still_json(text: str) -> None:
    developer = Developer(formats=(ResponseFormat("x", {"description": text}),))
    schema = render(conversation(developer=developer)).removesuffix("<|end|>").rpartition("\n")[2]
    assert json.loads(schema)["description"].replace("\u2060", "") == text.replace("\u2060", "")
