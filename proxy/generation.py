"""What all endpoints have in common: a question for the model, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as defaults
from typing import Any, NamedTuple

import llm
from llm.parts import Message


class ThreadPosition(NamedTuple):
    """Where in the log a request says that it goes on: in which thread, behind which message (None: at its
    beginning). `joins`: in that thread whatever happens to it meanwhile, as a conversation wants it;
    otherwise a thread that has moved on is forked."""

    thread_id: str
    tip: str | None
    append: bool = False


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What the model is asked, in llm's words.

    `endpoint` and `model` are as the client wrote them; `options` are the plugin's. `custom` names the tools
    whose one argument is free text, `custom_calls` the calls of such tools that the client sent. `stored` is
    whether the client wants the turn kept, `resumable` whether its stream can be asked for again. `field` and
    `format` are where the request holds what the model reads, and the schema.

    Of `messages`, the first `added` are none of the conversation's (instructions for this one answer),
    and the `known` behind them stand in the log where `continues` says. `sent` tells for each entry of
    the request's list of messages or items which message it became.
    """

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[llm.Tool, ...] = ()
    custom_tools: frozenset[str] = frozenset()
    schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = defaults(default_factory=dict)
    stream: bool = False
    store: bool = False
    metadata: Mapping[str, str] = defaults(default_factory=dict)
    input_field: str = "messages"
    schema_field: str = "response_format"
    replayable: bool = False
    added: int = 0
    known: int = 0
    continues: ThreadPosition | None = None
    message_of_entry: tuple[int, ...] = ()
    custom_call_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TokenUsage:
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The turn is over and logged, in seconds since 1970 at `completed_at`. `reason` is `stop`, `length`,
    `tool_calls` or `content_filter`."""

    reason: str
    usage: TokenUsage
    completed_at: int = 0
