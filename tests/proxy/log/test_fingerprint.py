from __future__ import annotations

from typing import Any

import pytest
from llm.logs import content_hash
from llm.parts import AttachmentPart, Message, ToolResultPart
from support.logged_turns import call, result, said, system, thought, user

from llm_gpt_oss.turn.messages import tool_call_part
from proxy.log.fingerprint import count_instructions, looks_same, prefix_hashes, tool_calls

HI = user("Hi")


def tip(*messages: Message) -> str | None:
    return [None, *prefix_hashes(messages)][-1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([HI, said("Hello")], [HI, said(thought("Hm"), "Hello")], id="reasoning"),
        pytest.param([HI, said("Hello")], [HI, said("Hello\n")], id="white space around an answer"),
        pytest.param([HI, said("One\n\nTwo")], [HI, said("One", "\n\n", "Two")], id="parts, with separators"),
        pytest.param([HI, said("a", call("1"))], [HI, said("a"), said(call("1"))], id="cut into messages"),
        pytest.param([HI, said(call("1", x=1))], [HI, said(call("else", x=1))], id="ids"),
        pytest.param(
            [HI, said(tool_call_part("look", '{"a": 1, "b": 2}', "1"))],
            [HI, said(tool_call_part("look", '{"b":2,"a":1}', "1"))],
            id="how arguments are written",
        ),
        pytest.param(
            [HI, said(tool_call_part("look", "{}", "1"))],
            [HI, said(tool_call_part("look", "{ }", "1"))],
            id="no arguments",
        ),
        pytest.param(
            [HI, result("1", "x"), result("2", "y")],
            [HI, Message("tool", [ToolResultPart("look", "x", "1"), ToolResultPart("look", "y", "2")])],
            id="results in one message",
        ),
        pytest.param([HI], [HI, said(thought("Hm"))], id="nothing to be seen"),
        pytest.param([HI], [HI, said("")], id="empty"),
        pytest.param([], [said(thought("Hm"))], id="nothing at all"),
    ],
)
def test_looks_the_same(one: list[Message], other: list[Message]) -> None:
    assert tip(*one) == tip(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([HI], [user("Hi ")], id="white space of a user"),
        pytest.param([user("a"), user("b")], [user("ab")], id="two messages of a user"),
        pytest.param([HI], [said("Hi")], id="role"),
        pytest.param([HI, HI], [HI], id="said twice"),
        pytest.param([said(call("1", "see"))], [said(call("1", "look"))], id="another tool"),
        pytest.param([said(call("1", x=1))], [said(call("1", x=2))], id="other arguments"),
        pytest.param([result("1", "x")], [result("1", "y")], id="another result"),
        pytest.param([result("1", "x", "see")], [result("1", "x", "look")], id="a result of another tool"),
        pytest.param(
            [said(tool_call_part("look", "oh", "1"))],
            [said(tool_call_part("look", "ah", "1"))],
            id="arguments that are no JSON",
        ),
        pytest.param([said("a", call("1"))], [said(call("1"))], id="with and without text"),
    ],
)
def test_looks_different(one: list[Message], other: list[Message]) -> None:
    assert tip(*one) != tip(*other)


@pytest.mark.parametrize(
    ("message", "visible"),
    [
        pytest.param(user("a"), ["user", "a", []], id="text"),
        pytest.param(
            said(' é \x00\u2028\x7f"\\/\b\t 日本 '),
            ["assistant", 'é \x00\u2028\x7f"\\/\b\t 日本', []],
            id="escapes",
        ),
        pytest.param(
            said("a", call("1", z=[1.0, 1e16, None], a={"é": True})),
            ["assistant", "a", [["look", {"z": [1.0, 1e16, None], "a": {"é": True}}]]],
            id="arguments",
        ),
        pytest.param(result("1", 'x "y"\n'), ["tool", "", [["look", 'x "y"\n']]], id="result"),
    ],
)
def test_the_hash_in_peoples_logs_stays_the_same(message: Message, visible: list[Any]) -> None:
    first = content_hash([None, "user", "Hi", []])
    assert [*prefix_hashes([HI, message])][-1] == content_hash([first, *visible])


def test_each_message_has_a_hash() -> None:
    messages = [HI, said("a"), said("b"), user("c")]
    assert [*prefix_hashes(messages)] == [tip(*messages[: length + 1]) for length in range(len(messages))]


def test_hashes_continue_from_a_prefix() -> None:
    messages = [HI, said("a"), user("b"), said("c"), said(" d")]
    hashes = [*prefix_hashes(messages)]
    for split in (1, 2, 3):
        assert [*prefix_hashes(messages[split:], hashes[split - 1])] == hashes[split:]


def test_two_messages_that_look_the_same() -> None:
    assert looks_same(said("a"), said(thought("Hm"), "a"))
    assert not looks_same(said("a"), said("b"))


def test_instructions_are_at_the_beginning() -> None:
    assert count_instructions([system("a"), Message("developer"), HI, system("b")]) == 2


def test_tool_calls_of_messages() -> None:
    assert [c.tool_call_id for c in tool_calls([HI, said("a", call("1"), call("2")), said(call("3"))])] == [
        "1",
        "2",
        "3",
    ]


def test_attachments_are_not_hashed() -> None:
    assert tip(Message("user", [AttachmentPart()])) is None
