"A turn that was read from an export, and its conversion to a turn that the log can write."

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import llm
from llm.parts import Message

from llm_gpt_oss.log.response_json import to_response

from ..log.turn import RequestRecord, Turn

# The `client` of turns whose app is unknown.
CLIENT = "import"


@dataclass(frozen=True, slots=True)
class ImportedTurn:
    "A turn of another log or server. `usage` has the fields of llm's `Usage`: `input`, `output`, `details`."

    id: str
    model: str
    prompt: Sequence[Message]
    answer: Sequence[Message]
    request: RequestRecord
    started: datetime
    duration_ms: int = 0
    tools: Sequence[llm.Tool] = ()
    schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)

    def to_turn(self) -> Turn:
        fields = {
            "response": {
                "id": self.id,
                "model": self.model,
                "prompt": {"messages": [], "options": dict(self.options)},
                "messages": [message.to_dict() for message in self.answer],
                "datetime_utc": self.started.isoformat(),
                "usage": self.usage,
            },
            "stream": True,
            "resolved_model": None,
            "duration_ms": self.duration_ms,
            "response_json": None,
            "schema": None,
            "tools": [],
        }
        response = to_response(fields)
        # Not parsed from JSON: the turns of a conversation share these objects, which are then hashed once.
        response.prompt = llm.Prompt(  # type: ignore[no-untyped-call]
            None,
            response.model,
            messages=self.prompt,
            tools=[*self.tools],
            schema=self.schema,
            options=response.prompt.options,
        )
        return Turn(response, self.request)
