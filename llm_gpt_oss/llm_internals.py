"""The only module that uses private names of llm. Each docstring says which public one is missing.

`tests/llm_gpt_oss/test_llm_internals.py` lists the names and checks them, so that a new version of llm
without one of them breaks that test alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import llm
from llm.parts import Message, Part

if TYPE_CHECKING:
    from llm.logs import LogStore

    # llm has no public class that its sync and async models share. Only a type checker needs it.
    from llm.models import _BaseModel as LlmModel
    from llm.utils import Fragment
else:
    LlmModel = object


class ModelBase(LlmModel):
    """Base class of the sync and async models, which validates attachments in a public method.

    llm validates them against the public `attachment_types`, and raises a ValueError without a remedy. There
    is no public way for a model to explain why it takes no attachments.
    """

    def validate_attachments(self, attachments: list[llm.Attachment]) -> None:
        "Raises for attachments that the model cannot take. llm calls it before each prompt."
        raise NotImplementedError

    def _validate_attachments(self, attachments: list[llm.Attachment] | None = None) -> None:
        self.validate_attachments(attachments or [])


def partial_response(response: llm.Response | llm.AsyncResponse) -> llm.Response:
    """A copy of `response` that llm treats as complete: it has the output so far, and ends now.

    llm's public `log_to_db`, `messages` and `to_sync_response` run a response to its end first. There is no
    public way to log an interrupted one.
    """
    turn = response._to_sync_response() if isinstance(response, llm.AsyncResponse) else copy.copy(response)
    if not turn._done:
        turn._done, turn._end = True, time.monotonic()
    return turn


@contextmanager
def replaced_log_to_db(log: Callable[..., None]) -> Iterator[None]:
    """Let responses log themselves with `log(original, response, database)`. `original` is llm's own method.

    The method is public, but there is no public way for a model to take part in it.
    """
    original = llm.Response.log_to_db

    def log_to_db(response: Any, db: Any) -> None:
        log(original, response, db)

    llm.Response.log_to_db = log_to_db  # type: ignore[method-assign]
    try:
        yield
    finally:
        llm.Response.log_to_db = original  # type: ignore[method-assign]


def has_output(response: llm.Response | llm.AsyncResponse) -> bool:
    "Whether the model has produced any event yet. llm's public methods wait for the whole response."
    return bool(response._stream_events)


def events_so_far(response: llm.Response | llm.AsyncResponse) -> Sequence[Any]:
    "The events that the model has produced so far. llm's public methods wait for the whole response."
    return response._stream_events


def messages_so_far(response: llm.Response | llm.AsyncResponse) -> list[Message]:
    "The messages that the model has written so far. llm's public `messages` waits for the whole response."
    return response._messages_now()


def set_start_time(response: llm.Response | llm.AsyncResponse) -> None:
    """Set the start time of `response` to now.

    llm sets the time when it calls the model. A response that ends before that is logged with an empty date.
    There is no public way to set it.
    """
    response._start = time.monotonic()
    response._start_utcnow = datetime.now(timezone.utc)


def set_times(response: llm.Response, started: datetime, seconds: float) -> None:
    """Set the start and the duration of `response`. llm measures these times, and has no public way to set
    them.
    """
    response._start_utcnow = started
    response._start, response._end = 0.0, seconds


def replace_texts(
    prompt: llm.Prompt, text: Callable[[str], str], fragment: Callable[[str], Fragment]
) -> llm.Prompt:
    """A copy of the prompt with its own texts and fragments replaced, but not the messages it was given.

    llm's public attributes contain the fragments, and cannot be set.
    """
    copied = copy.copy(prompt)
    copied._prompt = prompt._prompt and text(prompt._prompt)
    copied._system = prompt._system and text(prompt._system)
    copied.fragments = [fragment(each) for each in prompt.fragments or ()]
    copied.system_fragments = [fragment(each) for each in prompt.system_fragments or ()]
    return copied


def write_part(log: LogStore, message_hash: str, position: int, part: Part) -> None:
    """Write a part of a message that has just been written.

    llm's public `ensure_chain` writes a message with its parts, but looks each one up and hashes it before.
    """
    log._write_part(message_hash, position, part, {})


def load_parts(log: LogStore, message_hashes: Sequence[str]) -> dict[str, list[Any]]:
    """The parts of each of these logged messages, by the message's hash.

    llm's public `load_chain` runs one query per message to find them.
    """
    return log._load_parts(list(message_hashes))
