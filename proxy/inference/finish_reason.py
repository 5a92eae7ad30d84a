"How a model's answer ended, as far as the model tells."

from __future__ import annotations

import llm

# OpenAI's words, and what its Responses API says instead. Other words mean nothing to its clients.
REASONS = {
    "stop": "stop",
    "length": "length",
    "max_output_tokens": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


def finish_reason(response: llm.Response | llm.AsyncResponse) -> str | None:
    """None where it is not known.

    From `response_json`, which each plugin fills in its own way: ours, and llm's own for OpenAI's API, with
    the fold of a stream, a chat completion or a response.
    """
    match response.response_json:
        case (
            {"outcome": {"finish_reason": reason}}
            | {"finish_reason": reason}
            | {"choices": [{"finish_reason": reason}, *_]}
            | {"incomplete_details": {"reason": reason}}
        ):
            return REASONS.get(str(reason))
    return None
