"""What all endpoints share: a request to generate text, and how the generation ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import llm
from llm.parts import Message


class ThreadPosition(NamedTuple):
    """The place in the log that a request continues: after the message `tip` of a thread. If `tip` is None,
    it is the start of the thread.

    With `append`, the turn becomes part of that thread in any case, as in a conversation. Otherwise it starts
    a new thread if another turn has continued the thread in the meantime.
    """

    thread_id: str
    tip: str | None
    append: bool = False


class CustomCall(NamedTuple):
    """A call to a tool that takes free text. Clients choose ids and use some again, so the id alone does not
    identify a call, not even within a conversation.
    """

    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request to a model, in llm's terms.

    `endpoint` and `model` are as the client sent them, `options` are those of the model. `custom_tools` are
    the names of tools whose only argument is free text, `custom_calls` the calls of such tools in
    `messages`. `store` is whether the client wants the turn stored, `replayable` whether it can ask for the
    stream again. `fields` has the fields of the request for the model's parameters that have other names
    there: its options, and `messages`, `schema` and `tools`. `default_effort` is the reasoning effort unless
    `options` or the name of the model has one.

    `messages` holds `added` per-request instructions, then `known` messages that are already logged at
    `continues`, then the new ones. `message_of_entry` has one number for each entry of the request's list of
    messages or items: the index in `messages` of the message that the entry belongs to.
    """

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[llm.Tool, ...] = ()
    custom_tools: frozenset[str] = frozenset()
    schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    store: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    replayable: bool = False
    added: int = 0
    known: int = 0
    continues: ThreadPosition | None = None
    message_of_entry: tuple[int, ...] = ()
    custom_calls: frozenset[CustomCall] = frozenset()
    default_effort: str | None = None

    def field_of(self, param: str) -> str:
        "The field of the request for a parameter of the model."
        if param == "schema" and self.schema is None:
            param = "tools"  # arguments are constrained by the schema of their tool
        return self.fields.get(param, param)


@dataclass(frozen=True, slots=True)
class TokenUsage:
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a turn: it is complete and logged.

    `reason` is `stop`, `length`, `tool_calls` or `content_filter`. `completed_at` is in seconds since 1970.
    `notes` say how the answer differs from what was requested.
    """

    reason: str
    usage: TokenUsage
    completed_at: int = 0
    notes: tuple[str, ...] = ()
