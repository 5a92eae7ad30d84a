"The message that replaces a compacted conversation."

from __future__ import annotations

from llm.parts import Message, TextPart

from proxy.items.summary import INTRODUCTION, summary_message, summary_of


def test_round_trip() -> None:
    assert summary_of(summary_message("Sheep were counted.")) == "Sheep were counted."


def test_the_summary_is_introduced() -> None:
    message = summary_message("Sheep were counted.")
    assert message.role == "developer"
    assert [part.text for part in message.parts if isinstance(part, TextPart)] == [
        INTRODUCTION + "Sheep were counted."
    ]


def test_other_messages() -> None:
    assert summary_of(Message("developer", [TextPart(INTRODUCTION + "Sheep.")])) is None
    assert summary_of(Message("developer", [])) is None
