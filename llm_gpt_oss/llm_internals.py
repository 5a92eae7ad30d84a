"""The only module that uses private names of llm. Each docstring says which public one is missing.

`tests/llm_gpt_oss/test_llm_internals.py` lists the names and checks them, so that a new version of llm
without one of them breaks that test alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import llm
from llm.parts import Message

if TYPE_CHECKING:
    from llm.logs import LogStore

    # llm has no public class that its sync and async models share. Only a type checker needs it.
    from llm.models import _BaseModel as LlmModel
else:
    LlmModel = object


class ModelBase(LlmModel):
    """What sync and async models share: attachments are checked by a public method.

    llm checks them against the public `attachment_types`. A model has no public way to say why it takes
    none: llm's own error is a ValueError without a remedy.
    """

    def validate_attachments(self, attachments: list[llm.Attachment]) -> None:
        "Raises for attachments that the model cannot take. llm calls it before each prompt."
        raise NotImplementedError

    def _validate_attachments(self, attachments: list[llm.Attachment] | None = None) -> None:
        self.validate_attachments(attachments or [])


def partial_response(response: llm.Response | llm.AsyncResponse) -> llm.Response:
    """A copy of `response` that llm takes for complete, with the output so far, ending now.

    llm's public `log_to_db`, `messages` and `to_sync_response` run a response to its end first. There is no
    public way to log one that broke off.
    """
    turn = response._to_sync_response() if isinstance(response, llm.AsyncResponse) else copy.copy(response)
    turn._done, turn._end = True, time.monotonic()
    return turn


def has_output(response: llm.Response | llm.AsyncResponse) -> bool:
    "Whether the model has produced any event yet. llm's public methods wait for the whole response."
    return bool(response._stream_events)


def messages_so_far(response: llm.Response | llm.AsyncResponse) -> list[Message]:
    "The messages that the model has written so far. llm's public `messages` waits for the whole response."
    return response._messages_now()


def set_start_time(response: llm.Response | llm.AsyncResponse) -> None:
    """Let `response` start now.

    llm sets the time when it calls the model, and a response that ends before is logged with an empty date.
    There is no public way to set it.
    """
    response._start = time.monotonic()
    response._start_utcnow = datetime.now(timezone.utc)


def set_times(response: llm.Response, started: datetime, seconds: float) -> None:
    "Let `response` have started at this time and taken so long. llm can only measure the times itself."
    response._start_utcnow = started
    response._start, response._end = 0.0, seconds


def load_parts(log: LogStore, message_hashes: Sequence[str]) -> dict[str, list[Any]]:
    """The parts of each of these logged messages, by the message's hash.

    llm's public `load_chain` runs one query per message to find them.
    """
    return log._load_parts(list(message_hashes))
