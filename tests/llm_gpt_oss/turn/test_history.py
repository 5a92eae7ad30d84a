"What gpt-oss cannot read of a history, and the notes on it."

from __future__ import annotations

from typing import Any

import llm
import pytest
from llm.parts import (
    AttachmentPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    tool_message,
    user,
)

from llm_gpt_oss.turn.history import (
    AttachmentType,
    attachment_text,
    history_notes,
    newest_user_message,
    readable_messages,
)

IMAGE = llm.Attachment(type="image/png", content=b"x")
SEEN = AttachmentPart(IMAGE)
UNSEEN = TextPart("[image: this model cannot see it]", provider_metadata={"gpt_oss": {"attachments": 1}})
CALL = ToolCallPart("look", {}, "call_1")


@pytest.mark.parametrize(
    ("attachment_type", "name", "text"),
    [
        ("image", None, "[image: this model cannot see it]"),
        ("audio", None, "[audio: this model cannot hear it]"),
        ("video", None, "[video: this model cannot see it]"),
        ("file", None, "[file: this model cannot read it]"),
        ("file", "", "[file: this model cannot read it]"),
        ("file", "a b.pdf", "[file a b.pdf: this model cannot read it]"),
        ("file", " a\n\nb ", "[file a b: this model cannot read it]"),
        ("file", "n" * 200, f"[file {'n' * 100}: this model cannot read it]"),
    ],
)
def test_texts_for_attachments(attachment_type: AttachmentType, name: str | None, text: str) -> None:
    assert attachment_text(attachment_type, name) == text


@pytest.mark.parametrize(
    ("roles", "newest"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param(["user"], 0, id="a question"),
        pytest.param(["system", "user", "developer"], 1, id="instructions after it"),
        pytest.param(["user", "user"], 1, id="the last of two"),
        pytest.param(["user", "assistant"], None, id="an answer after it"),
        pytest.param(["user", "assistant", "user"], 2, id="after an answer"),
        pytest.param(["user", "assistant", "tool"], None, id="a result"),
        pytest.param(["user", "assistant", "tool", "user"], None, id="what a tool returned"),
        pytest.param(["user", "assistant", "tool", "user", "user"], 4, id="after what a tool returned"),
        pytest.param(["tool", "user"], None, id="a result without a call"),
    ],
)
def test_the_newest_user_message(roles: list[str], newest: int | None) -> None:
    assert newest_user_message(roles) == newest


@pytest.mark.parametrize(
    ("attachment", "text"),
    [
        pytest.param(None, "[file: this model cannot read it]", id="nothing"),
        pytest.param(llm.Attachment(), "[file: this model cannot read it]", id="of unknown type"),
        pytest.param(llm.Attachment(type="audio/wav"), "[audio: this model cannot hear it]", id="audio"),
        pytest.param(llm.Attachment(type="video/mp4"), "[video: this model cannot see it]", id="video"),
        pytest.param(
            llm.Attachment(type="application/pdf", path="/home/a/b.pdf"),
            "[file b.pdf: this model cannot read it]",
            id="a file",
        ),
    ],
)
def test_attachments_of_each_type(attachment: llm.Attachment | None, text: str) -> None:
    [message, _] = readable_messages([user(AttachmentPart(attachment)), assistant("a")])
    [part] = message.parts
    assert isinstance(part, TextPart)
    assert part.text == text


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool"])
def test_attachments_of_earlier_messages(role: str) -> None:
    first = Message(role, [TextPart("a"), SEEN])
    newest = user("q", SEEN)
    assert readable_messages([first, newest]) == [
        Message(role, [TextPart("a"), UNSEEN]),
        # After a tool's message, this one holds what the tool returned.
        user("q", UNSEEN) if role == "tool" else newest,
    ]


def test_messages_without_attachments_stay_the_same() -> None:
    messages = [user("q"), assistant("a"), user("r")]
    assert all(one is other for one, other in zip(messages, readable_messages(messages), strict=True))


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param("2", "2\n", id="text"),
        pytest.param("", "", id="nothing"),
        pytest.param({"a": "é"}, '{"a": "é"}\n', id="not text"),
    ],
)
def test_attachments_of_results(output: Any, text: str) -> None:
    result = ToolResultPart("look", output, "call_1", attachments=[IMAGE, IMAGE])
    [_, message] = readable_messages([assistant(CALL), tool_message(result)])
    assert message.parts == [
        ToolResultPart(
            "look",
            f"{text}[image: this model cannot see it]\n[image: this model cannot see it]",
            "call_1",
            provider_metadata={"gpt_oss": {"attachments": 2}},
        )
    ]


RESULT = ToolResultPart("look", "2", "call_1")
DROPPED = "attachment_dropped"


@pytest.mark.parametrize(
    ("parts", "notes"),
    [
        pytest.param([TextPart("a"), ReasoningPart("t"), CALL, RESULT], [], id="nothing to note"),
        pytest.param([UNSEEN], [(DROPPED, "Text stands for 1 attachment of")], id="an attachment"),
        pytest.param(
            [
                UNSEEN,
                CALL,
                ToolResultPart("look", "", "call_1", provider_metadata={"gpt_oss": {"attachments": 2}}),
            ],
            [(DROPPED, "Text stands for 3 attachments of")],
            id="several",
        ),
        pytest.param(
            [TextPart("a", provider_metadata={"gpt_oss": {"attachments": "x"}})], [], id="odd metadata"
        ),
        pytest.param(
            [ReasoningPart("", redacted=True)],
            [("reasoning_dropped", "1 piece of reasoning left out")],
            id="reasoning",
        ),
        pytest.param([ReasoningPart("t", redacted=True)], [], id="reasoning that can be read"),
        pytest.param([RESULT, CALL], [("call_missing", "1 tool result without")], id="result before call"),
        pytest.param(
            [RESULT, ToolResultPart("", "3", None)],
            [("call_missing", "2 tool results without")],
            id="results",
        ),
    ],
)
def test_notes(parts: list[Part], notes: list[tuple[str, str]]) -> None:
    written = [*history_notes([system("s"), *(user(part) for part in parts)])]
    assert [
        (note.kind, note.text[: len(text)]) for note, (_, text) in zip(written, notes, strict=True)
    ] == notes
