"""The id of a turn, the ids of the API that name it, and its times."""

from __future__ import annotations

import re
from datetime import datetime

from llm.utils import monotonic_ulid
from ulid import ULID

# The prefix of a conversation's id, which is otherwise that of its thread.
CONVERSATION_PREFIX = "conv_"
# Those of answers, whose ids name their turn: of Responses, chat completions, completions, messages.
_ANSWER = re.compile("^(resp_|chatcmpl-|cmpl-|msg_)")


def turn_of_answer(id: str) -> str:
    "The turn that the id of an answer names. An id of another form is returned as it is."
    return _ANSWER.sub("", id, count=1)


def new_id() -> str:
    "A ULID in lower case, as llm's own ids are."
    return str(monotonic_ulid()).lower()


def creation_time(turn_id: str) -> int:
    """When an id was created, in seconds since 1970; 0 for ids of older logs, which may not be ULIDs.

    API objects with this id have this time, so that they are the same live and from the log.
    """
    try:
        return int(ULID.from_str(turn_id.upper()).milliseconds) // 1000
    except ValueError:
        return 0


def end_time(datetime_utc: str, duration_ms: int) -> int:
    "When a turn ended, in seconds since 1970, from the columns that llm logs."
    return int(datetime.fromisoformat(datetime_utc).timestamp() + duration_ms / 1000)
