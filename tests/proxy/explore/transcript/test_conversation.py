from __future__ import annotations

from typing import Any

import llm
import pytest
from llm.parts import AttachmentPart, Message, Part, TextPart, ToolResultPart
from support.logged_turns import assistant, call, reasoning, result, user

from proxy.explore.transcript.conversation import (
    Attached,
    Called,
    Entry,
    File,
    Result,
    Returned,
    Speech,
    Thought,
    entries,
)

IMAGE = llm.Attachment(type="image/png", content=b"1234")


def answered(call_id: str | None, *outputs: str, name: str = "look", **arguments: Any) -> Called:
    return Called(name, arguments, call_id, [Result(name, output) for output in outputs])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([user("Hi")], [[Speech("user", "Hi")]], id="text"),
        pytest.param(
            [assistant(reasoning("Hm."), "Hello")],
            [[Thought("Hm."), Speech("assistant", "Hello")]],
            id="reasoning before an answer",
        ),
        pytest.param(
            [assistant(llm.parts.ReasoningPart("", redacted=True))],
            [[Thought("", hidden=True)]],
            id="reasoning that the provider keeps secret",
        ),
        pytest.param(
            [assistant(call("c1", at="sky")), result("c1", "blue")],
            [[answered("c1", "blue", at="sky")], []],
            id="a result stands beside its call",
        ),
        pytest.param(
            [assistant(call("c1"), call("c2")), result("c2", "two"), result("c1", "one")],
            [[answered("c1", "one"), answered("c2", "two")], [], []],
            id="results in another order",
        ),
        pytest.param([assistant(call("c1"))], [[answered("c1")]], id="a call without a result"),
        pytest.param(
            [assistant(call("c1")), result("c1", "1"), assistant(call("c1")), result("c1", "2")],
            [[answered("c1", "1")], [], [answered("c1", "2")], []],
            id="an id that is used again means the last call",
        ),
        pytest.param(
            [assistant(call(None), call(None)), result(None, "1"), result(None, "2")],
            [[answered(None, "1"), answered(None, "2")], [], []],
            id="without ids the names decide, in order",
        ),
        pytest.param(
            [result("c9", "blue"), result(None, "red")],
            [[Returned(Result("look", "blue"))], [Returned(Result("look", "red"))]],
            id="results without a call",
        ),
        pytest.param(
            [
                Message(
                    "tool", [ToolResultPart("look", "", "c9", attachments=[IMAGE], exception="KeyError: 1")]
                )
            ],
            [[Returned(Result("look", "", "KeyError: 1", (File("image/png", 4),)))]],
            id="a result with an error and a file",
        ),
        pytest.param(
            [Message("user", [TextPart("See"), AttachmentPart(IMAGE), AttachmentPart(None)])],
            [[Speech("user", "See"), Attached("user", File("image/png", 4)), Attached("user", File("file"))]],
            id="attachments without their content",
        ),
        pytest.param(
            [Message("user", [AttachmentPart(llm.Attachment(url="https://a.b/c.png"))])],
            [[Attached("user", File("file", None, "https://a.b/c.png"))]],
            id="a URL is not fetched",
        ),
        pytest.param([Message("assistant", [])], [[]], id="an empty message"),
    ],
)
def test_entries(messages: list[Message], expected: list[list[Entry]]) -> None:
    assert entries(messages) == expected


def test_an_unknown_part() -> None:
    with pytest.raises(TypeError, match="no entry"):
        entries([Message("user", [Part()])])
