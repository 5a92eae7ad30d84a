"""Finds out why a model stopped writing, if the model says so."""

from __future__ import annotations

import llm

# OpenAI's finish reasons, and the words of its Responses API for them. Its clients understand no others.
REASONS = {
    "stop": "stop",
    "length": "length",
    "max_output_tokens": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


def finish_reason(response: llm.Response | llm.AsyncResponse) -> str | None:
    """Return OpenAI's finish reason, or None if the model did not say why it stopped.

    The reason is in `response_json`, where each plugin keeps it in a form of its own. This reads the form of
    gpt-oss, and those of llm's models of OpenAI: an accumulated stream, a chat completion, a response.
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
