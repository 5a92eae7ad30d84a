"Turns to log, as a client and a model would produce them."

from __future__ import annotations

import datetime
import json
from typing import Any

import llm
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm.utils import monotonic_ulid

from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from proxy.log.turn import RequestRecord, Turn

MODEL = GptOss("gpt-oss:20b", Settings.from_env({}))


def system(text: str) -> Message:
    return Message("system", [TextPart(text)])


def user(text: str) -> Message:
    return Message("user", [TextPart(text)])


def assistant(*parts: Part | str) -> Message:
    return Message("assistant", [TextPart(part) if isinstance(part, str) else part for part in parts])


def reasoning(text: str) -> ReasoningPart:
    return ReasoningPart(text)


def call(call_id: str | None, name: str = "look", **arguments: Any) -> ToolCallPart:
    return ToolCallPart(name, arguments, call_id)


def result(call_id: str | None, output: str, name: str = "look") -> Message:
    return Message("tool", [ToolResultPart(name, output, call_id)])


def turn(*messages: Message, answer: Message | None = None, **request: Any) -> Turn:
    """A turn with these messages as its prompt.

    Without an `answer` nothing has arrived. `request` are fields of the RequestRecord.
    """
    data = {
        "model": MODEL.model_id,
        "id": str(monotonic_ulid()).lower(),
        "prompt": {"messages": [message.to_dict() for message in messages]},
        "messages": [answer.to_dict()] if answer else [],
    }
    response = llm.Response.from_dict(data, model=MODEL)  # type: ignore[arg-type]
    response._start, response._end = 1.0, 1.25
    response._start_utcnow = datetime.datetime(2026, 8, 1, tzinfo=datetime.timezone.utc)
    sent = [*range(len(messages), 0, -1)]
    body = json.dumps({"messages": [{"role": message.role} for message in messages]})
    fields = {"endpoint": "/v1/chat/completions", "body": body, "status": 200, "error": None, "sent": sent}
    return Turn(response, RequestRecord(**{**fields, **request}))
