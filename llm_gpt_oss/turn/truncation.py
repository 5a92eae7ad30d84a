"""Drops whole turns, oldest first, when a conversation is longer than the context."""

from __future__ import annotations

from dataclasses import replace

from ..errors import ContextOverflow
from ..harmony.conversation import Conversation

# The share of the conversation to drop if the engine does not report by how much the prompt is too long.
DEFAULT_SHARE = 0.25


def drop_oldest_turns(conversation: Conversation, overflow: ContextOverflow) -> tuple[Conversation, int]:
    """Return the conversation without its oldest turns, and the number of messages dropped.

    It drops at least one turn, and as many as are needed to make the prompt fit, but never the last one.
    Raises ContextOverflow if only the last one is left.
    """
    messages = conversation.messages
    later_turns = [index for index, message in enumerate(messages) if index and message.header.role == "user"]
    if not later_turns:
        raise ContextOverflow(
            overflow.message,
            prompt_tokens=overflow.prompt_tokens,
            context_length=overflow.context_length,
            remedy="There is no older turn to leave out. Shorten the prompt, or raise -o num_ctx.",
        )
    excess = _excess(overflow) * sum(len(message.text) for message in messages)
    cut = next(
        (turn for turn in later_turns if sum(len(message.text) for message in messages[:turn]) >= excess),
        later_turns[-1],
    )
    return replace(conversation, messages=messages[cut:]), cut


def _excess(overflow: ContextOverflow) -> float:
    "The share of the prompt to drop, so that a tenth of the context is left for the answer."
    if not overflow.prompt_tokens or not overflow.context_length:
        return DEFAULT_SHARE
    return max(0.0, 1 - 0.9 * overflow.context_length / overflow.prompt_tokens)
