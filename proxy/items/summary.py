"""What stands for a conversation that was compacted: a message with its summary."""

from __future__ import annotations

from llm.parts import Message, TextPart

from llm_gpt_oss.turn.messages import METADATA

COMPACTED = {METADATA: {"compaction": True}}
HEAD = "The conversation up to here was long. This summary stands for it:\n\n"


def summarised(summary: str) -> Message:
    return Message("developer", [TextPart(HEAD + summary, provider_metadata=COMPACTED)])


def summary_of(message: Message) -> str | None:
    "None for a message that is no summary."
    match message.parts:
        case [TextPart(text=text, provider_metadata=metadata)] if metadata == COMPACTED:
            return text.removeprefix(HEAD)
    return None
