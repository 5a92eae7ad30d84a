from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.errors import ContextOverflow
from llm_gpt_oss.harmony.conversation import Conversation, Developer, Header, Message, Role, System
from llm_gpt_oss.turn.truncation import drop_oldest_turns


def conversation_of(roles: str, length: int = 100) -> Conversation:
    "`uaua`: each letter a message of that role and length."
    full: dict[str, Role] = {"u": "user", "a": "assistant", "t": "tool", "d": "developer"}
    messages = [Message(Header(full[role]), str(n % 10) * length) for n, role in enumerate(roles)]
    return Conversation(System(), Developer("Be kind."), tuple(messages))


def overflow_error(tokens: int | None = None, context: int | None = None) -> ContextOverflow:
    return ContextOverflow("too long", prompt_tokens=tokens, context_length=context)


@pytest.mark.parametrize(
    ("roles", "overflow", "cut"),
    [
        pytest.param("uauauau", overflow_error(), 2, id="no counts: a quarter, and whole turns of it"),
        pytest.param("uuuuuuuu", overflow_error(), 2, id="no counts: no more than a quarter"),
        pytest.param("uauauau", overflow_error(1000), 2, id="half of the counts is none"),
        pytest.param("uauauau", overflow_error(None, 1000), 2, id="nor the other half"),
        pytest.param("uauauau", overflow_error(1001, 1000), 2, id="a little too long: one turn"),
        pytest.param(
            "u" * 20, overflow_error(1001, 1000), 3, id="with a tenth of the context for the answer"
        ),
        pytest.param("uauauau", overflow_error(2000, 1000), 4, id="twice too long: more than half goes"),
        pytest.param("uauauau", overflow_error(9000, 1000), 6, id="far too long: the last turn stays"),
        pytest.param("uauauau", overflow_error(500, 1000), 2, id="not too long, although the engine says so"),
        pytest.param("uattauat", overflow_error(), 5, id="a turn goes with its tools' results"),
        pytest.param("auau", overflow_error(), 1, id="a first message of the model is a turn too"),
        pytest.param(
            "uadu", overflow_error(), 3, id="instructions in the middle go with the turn they stand in"
        ),
    ],
)
def test_whole_turns_are_dropped(roles: str, overflow: ContextOverflow, cut: int) -> None:
    conversation = conversation_of(roles)
    shorter, dropped = drop_oldest_turns(conversation, overflow)
    assert (dropped, shorter.messages) == (cut, conversation.messages[cut:])
    assert (shorter.system, shorter.developer) == (conversation.system, conversation.developer)


def test_no_more_turns_are_dropped_than_necessary() -> None:
    # A quarter of eight equal messages is two of them.
    assert drop_oldest_turns(conversation_of("uuuuuuuu"), overflow_error())[1] == 2
    # 1 - 0.9 * 1000 / 1800 is one half.
    assert drop_oldest_turns(conversation_of("uuuuuuuu"), overflow_error(1800, 1000))[1] == 4


@pytest.mark.parametrize("roles", ["", "u", "uatta", "a", "aa"])
def test_the_last_turn_is_never_dropped(roles: str) -> None:
    overflow = overflow_error(9000, 1000)
    with pytest.raises(ContextOverflow) as raised:
        drop_oldest_turns(conversation_of(roles), overflow)
    assert (raised.value.prompt_tokens, raised.value.context_length) == (9000, 1000)
    assert "There is no older turn to leave out" in str(raised.value)


@given(
    st.text("uat", max_size=20),
    st.none() | st.integers(0, 100_000),
    st.none() | st.integers(0, 100_000),
    st.integers(0, 50),
)
def test_repeated_drops_end_at_the_last_turn(
    roles: str, tokens: int | None, context: int | None, length: int
) -> None:
    conversation, turns = conversation_of(roles, length), roles[1:].count("u")
    last = conversation.messages[roles.rfind("u") :]
    for _ in range(turns):
        before = conversation.messages
        try:
            conversation, dropped = drop_oldest_turns(conversation, overflow_error(tokens, context))
        except ContextOverflow:
            break
        assert dropped > 0
        assert conversation.messages == before[dropped:]
        assert conversation.messages[0].header.role == "user"
    if turns:
        assert conversation.messages[-len(last) :] == last
    with pytest.raises(ContextOverflow):
        drop_oldest_turns(conversation, overflow_error(tokens, context))
