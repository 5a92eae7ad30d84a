"What stands for a conversation that was compacted."

from __future__ import annotations

from llm.parts import Message, TextPart

from proxy.items.summary import HEAD, summarised, summary_of


def test_there_and_back() -> None:
    assert summary_of(summarised("Sheep were counted.")) == "Sheep were counted."


def test_the_model_is_told_what_it_is() -> None:
    message = summarised("Sheep were counted.")
    assert message.role == "developer"
    assert [part.text for part in message.parts if isinstance(part, TextPart)] == [
        HEAD + "Sheep were counted."
    ]


def test_other_messages_are_no_summaries() -> None:
    assert summary_of(Message("developer", [TextPart(HEAD + "Sheep.")])) is None
    assert summary_of(Message("developer", [])) is None
