"What stands for a conversation that was compacted."

from __future__ import annotations

from llm.parts import Message, TextPart

from proxy.items.summary import INTRODUCTION, summary_message, summary_of


def test_there_and_back() -> None:
    assert summary_of(summary_message("Sheep were counted.")) == "Sheep were counted."


def test_the_model_is_told_what_it_is() -> None:
    message = summary_message("Sheep were counted.")
    assert message.role == "developer"
    assert [part.text for part in message.parts if isinstance(part, TextPart)] == [
        INTRODUCTION + "Sheep were counted."
    ]


def test_other_messages_are_no_summaries() -> None:
    assert summary_of(Message("developer", [TextPart(INTRODUCTION + "Sheep.")])) is None
    assert summary_of(Message("developer", [])) is None
