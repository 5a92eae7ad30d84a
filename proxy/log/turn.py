"""A turn as it goes into the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import llm
from llm.parts import Message

from ..generation import CustomCall, ThreadPosition
from . import stored_body

# The status of a turn whose process ended before the answer was complete.
UNFINISHED = 500


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What the log keeps of a request beside its turn.

    `body` is JSON as the client sent it (`turn.strict_json`), and `parsed` its value, where that is known.
    `body` is empty if the server changed the value. `ignored` are the paths of fields that it ignored.
    `actor` is that of the API key, `client` the User-Agent. `first_token_ms` counts from the start of the
    run; `queue_ms` is the time that it waited for a slot. Repairs and retries are in `outcome.notes` of the
    turn's own `response_json`.

    `answer_id` is the first turn of the answer where a client wants several choices, None if it is this one.
    `idempotency_key` identifies the request when the client sends it again. `added`, `known`, `continues` and
    `custom_calls` are those of the GenerationRequest. `sent` has, for each entry of the body's list of
    messages or items, the distance of its message from the prompt's end. `pieces` are the lengths of the
    answer's deltas, part by part. `body` lacks the first `left_out` entries of its list: earlier turns of the
    thread hold them.
    """

    endpoint: str
    body: str
    actor: str | None = None
    client: str | None = None
    stored: bool = False
    metadata: Mapping[str, str] | None = None
    status: int = UNFINISHED
    error: str | None = "The server stopped before the answer was complete."
    finish_reason: str | None = None
    queue_ms: int | None = None
    first_token_ms: int | None = None
    model: str | None = None
    answer_id: str | None = None
    idempotency_key: str | None = None
    added: int = 0
    known: int = 0
    continues: ThreadPosition | None = None
    sent: Sequence[int] = field(default_factory=list)
    custom_calls: Sequence[CustomCall] = field(default_factory=list)
    pieces: Sequence[Sequence[int]] | None = None
    ignored: Sequence[str] = field(default_factory=list)
    left_out: int = 0
    parsed: Any = None

    @property
    def content(self) -> Any:
        "The value of the body."
        return json.loads(self.body) if self.parsed is None else self.parsed

    def shorten(self, new_messages: int) -> RequestRecord:
        """Return the record without the entries of the body's list that earlier turns hold.

        Only the entries of the prompt's last `new_messages` messages stay. Otherwise a long conversation
        would be stored again with each of its turns.
        """
        known = sum(from_end > new_messages for from_end in self.sent)
        if not known:
            return self
        return replace(
            self,
            body="",
            parsed=stored_body.shorten(self.content, known),
            sent=self.sent[known:],
            left_out=self.left_out + known,
        )


@dataclass(frozen=True)
class Turn:
    "`response` is complete, or holds what had arrived when it broke off."

    response: llm.Response
    request: RequestRecord

    @property
    def id(self) -> str:
        return self.response.id

    @property
    def prompt(self) -> list[Message]:
        return list(self.response.prompt.messages)

    @cached_property
    def answer(self) -> list[Message]:
        return [message for message in self.response.messages() if message.parts]
