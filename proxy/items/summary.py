"""The message that replaces a compacted conversation: a summary of it."""

from __future__ import annotations

from llm.parts import Message, TextPart

from llm_gpt_oss.turn.messages import METADATA

# These two are part of messages' hashes in people's logs, so they never change.
COMPACTION = {METADATA: {"compaction": True}}
INTRODUCTION = "The conversation up to here was long. This summary stands for it:\n\n"


def summary_message(summary: str) -> Message:
    return Message("developer", [TextPart(INTRODUCTION + summary, provider_metadata=COMPACTION)])


def summary_of(message: Message) -> str | None:
    "The summary in a message that `summary_message` made, or None for any other message."
    match message.parts:
        case [TextPart(text=text, provider_metadata=metadata)] if metadata == COMPACTION:
            return text.removeprefix(INTRODUCTION)
    return None
