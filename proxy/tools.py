"""What the tools of OpenAI's APIs have in common."""

from __future__ import annotations

from pydantic_core import from_json

# A custom tool takes free text; the model sees a function with one string.
FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def free_text(arguments: str) -> str:
    "What the model gave as a custom tool's one argument; all that it gave, where it did not keep to that."
    try:
        given = from_json(arguments)
    except ValueError:
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments
