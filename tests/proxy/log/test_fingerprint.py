from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.logs import content_hash
from llm.parts import AttachmentPart, Message, Part, TextPart, ToolCallPart, ToolResultPart
from support.logged_turns import assistant, call, reasoning, result, system, user

from llm_gpt_oss.turn.messages import name_metadata, tool_call_part
from proxy.log import fingerprint
from proxy.log.fingerprint import count_instructions, looks_same, prefix_hashes, tool_calls

HI = user("Hi")


def tip(*messages: Message) -> str | None:
    return [None, *prefix_hashes(messages)][-1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([HI, assistant("Hello")], [HI, assistant(reasoning("Hm"), "Hello")], id="reasoning"),
        pytest.param([HI, assistant("Hello")], [HI, assistant("Hello\n")], id="white space around an answer"),
        pytest.param(
            [HI, assistant("One\n\nTwo")], [HI, assistant("One", "\n\n", "Two")], id="parts, with separators"
        ),
        pytest.param(
            [HI, assistant("a", call("1"))],
            [HI, assistant("a"), assistant(call("1"))],
            id="cut into messages",
        ),
        pytest.param([HI, assistant(call("1", x=1))], [HI, assistant(call("else", x=1))], id="ids"),
        pytest.param(
            [HI, assistant(tool_call_part("look", '{"a": 1, "b": 2}', "1"))],
            [HI, assistant(tool_call_part("look", '{"b":2,"a":1}', "1"))],
            id="how arguments are written",
        ),
        pytest.param(
            [HI, assistant(tool_call_part("look", "{}", "1"))],
            [HI, assistant(tool_call_part("look", "{ }", "1"))],
            id="no arguments",
        ),
        pytest.param(
            [HI, result("1", "x"), result("2", "y")],
            [HI, Message("tool", [ToolResultPart("look", "x", "1"), ToolResultPart("look", "y", "2")])],
            id="results in one message",
        ),
        pytest.param([HI], [HI, assistant(reasoning("Hm"))], id="nothing to be seen"),
        pytest.param([HI], [HI, assistant("")], id="empty"),
        pytest.param([], [assistant(reasoning("Hm"))], id="nothing at all"),
    ],
)
def test_looks_the_same(one: list[Message], other: list[Message]) -> None:
    assert tip(*one) == tip(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([HI], [user("Hi ")], id="white space of a user"),
        pytest.param([user("a"), user("b")], [user("ab")], id="two messages of a user"),
        pytest.param([HI], [assistant("Hi")], id="role"),
        pytest.param([HI], [replace(HI, provider_metadata=name_metadata("ann"))], id="name"),
        pytest.param([HI, HI], [HI], id="said twice"),
        pytest.param([assistant(call("1", "see"))], [assistant(call("1", "look"))], id="another tool"),
        pytest.param([assistant(call("1", x=1))], [assistant(call("1", x=2))], id="other arguments"),
        pytest.param([result("1", "x")], [result("1", "y")], id="another result"),
        pytest.param([result("1", "x", "see")], [result("1", "x", "look")], id="a result of another tool"),
        pytest.param(
            [assistant(tool_call_part("look", "oh", "1"))],
            [assistant(tool_call_part("look", "ah", "1"))],
            id="arguments that are no JSON",
        ),
        pytest.param([assistant("a", call("1"))], [assistant(call("1"))], id="with and without text"),
    ],
)
def test_looks_different(one: list[Message], other: list[Message]) -> None:
    assert tip(*one) != tip(*other)


@pytest.mark.parametrize(
    ("message", "visible"),
    [
        pytest.param(user("a"), ["user", "a", []], id="text"),
        pytest.param(
            assistant(' é \x00\u2028\x7f"\\/\b\t 日本 '),
            ["assistant", 'é \x00\u2028\x7f"\\/\b\t 日本', []],
            id="escapes",
        ),
        pytest.param(
            assistant("a", call("1", z=[1.0, 1e16, None], a={"é": True})),
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
    messages = [HI, assistant("a"), assistant("b"), user("c")]
    assert [*prefix_hashes(messages)] == [tip(*messages[: length + 1]) for length in range(len(messages))]


def test_hashes_continue_from_a_prefix() -> None:
    messages = [HI, assistant("a"), user("b"), assistant("c"), assistant(" d")]
    hashes = [*prefix_hashes(messages)]
    for split in (1, 2, 3):
        assert [*prefix_hashes(messages[split:], hashes[split - 1])] == hashes[split:]


PARTS = (
    st.sampled_from(["", " ", "\n ", "a", " b ", 'é"\\\n']).map(TextPart)
    | st.sampled_from(["1", "2"]).map(lambda n: call(n, a=n))
    | st.sampled_from(["x", "y"]).map(lambda output: ToolResultPart("look", output, "1"))
)
ROLES = st.sampled_from(["assistant", "tool"])


@given(ROLES, st.lists(st.lists(PARTS, max_size=3), min_size=1, max_size=6))
def test_neighbours_have_the_hash_of_one_message(role: Any, parts: list[list[Part]]) -> None:
    messages = [HI, *(Message(role, each) for each in parts)]
    for length, tip_ in enumerate(prefix_hashes(messages), 1):
        together = [part for message in messages[1:length] for part in message.parts]
        assert tip_ == reference_hash(HI, Message(role, together))


def reference_hash(first: Message, second: Message) -> str | None:
    texts = [part.text for part in second.parts if isinstance(part, TextPart)]
    text = "".join(texts).strip() if second.role == "assistant" else "".join(texts)
    others = [[part.name, part.arguments] for part in second.parts if isinstance(part, ToolCallPart)]
    others += [[part.name, part.output] for part in second.parts if isinstance(part, ToolResultPart)]
    before = tip(first)
    return content_hash([before, second.role, text, others]) if text or others else before


class CountingHash:
    "As blake2b, and counts the bytes of all hashes."

    hashed = 0

    def __init__(self, data: bytes, *, digest_size: int) -> None:
        self._hash = blake2b(data, digest_size=digest_size)

    def update(self, data: bytes) -> None:
        CountingHash.hashed += len(data)
        self._hash.update(data)

    def copy(self) -> CountingHash:
        copied = CountingHash(b"", digest_size=16)
        copied._hash = self._hash.copy()
        return copied

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@pytest.mark.parametrize(
    ("messages", "limit"),
    [
        pytest.param([assistant("a" * 90)] * 5000, 600_000, id="answers"),
        pytest.param([result("1", "x" * 90)] * 5000, 600_000, id="results"),
        pytest.param([assistant(call("1", x="x" * 60))] * 5000, 600_000, id="calls"),
        pytest.param([assistant(call("1"), "a" * 90)] * 5000, 100_000_000, id="calls and texts in turn"),
    ],
)
def test_thousands_of_neighbours_take_linear_time(
    messages: list[Message], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "blake2b", CountingHash)
    monkeypatch.setattr(CountingHash, "hashed", 0)
    assert len({*prefix_hashes(messages)}) == len(messages)
    assert CountingHash.hashed < limit


@pytest.mark.parametrize(
    ("length", "is_kept"),
    [
        pytest.param(fingerprint.MAX_KEPT, True, id="short"),
        pytest.param(fingerprint.MAX_KEPT + 1, False, id="long"),
    ],
)
def test_hashes_of_short_texts_are_kept(length: int, is_kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "blake2b", CountingHash)
    conversation = [HI, assistant("a" * length), user("b" * length)]
    expected = [*prefix_hashes(conversation)]
    monkeypatch.setattr(CountingHash, "hashed", 0)
    assert [*prefix_hashes(conversation)] == expected
    assert (CountingHash.hashed == 0) is is_kept


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([user("Ho"), assistant("a")], id="other messages before it"),
        pytest.param([HI, user("a")], id="other role"),
        pytest.param([HI, replace(assistant("a"), provider_metadata=name_metadata("ann"))], id="name"),
        pytest.param([HI, assistant("b")], id="other text"),
    ],
)
def test_a_kept_hash_is_only_for_the_same_conversation(other: list[Message]) -> None:
    assert tip(HI, assistant("a")) != tip(*other)


def test_two_messages_that_look_the_same() -> None:
    assert looks_same(assistant("a"), assistant(reasoning("Hm"), "a"))
    assert not looks_same(assistant("a"), assistant("b"))


def test_instructions_are_at_the_beginning() -> None:
    assert count_instructions([system("a"), Message("developer"), HI, system("b")]) == 2


def test_tool_calls_of_messages() -> None:
    assert [
        c.tool_call_id for c in tool_calls([HI, assistant("a", call("1"), call("2")), assistant(call("3"))])
    ] == [
        "1",
        "2",
        "3",
    ]


def test_attachments_are_not_hashed() -> None:
    assert tip(Message("user", [AttachmentPart()])) is None
