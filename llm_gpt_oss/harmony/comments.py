"""The annotations of a JSON schema (title, description, default, examples) as TypeScript comments."""

from __future__ import annotations

import json
from typing import Any

from .schema import Schema, sequence


def comment(text: str, indent: str = "") -> str:
    "Return the text as comment lines. Each line of the text starts with `//`, so none can end the comment."
    return "".join(f"{indent}// {line}\n" for line in text.splitlines())


def title_comment(schema: Schema, indent: str) -> str:
    "Return the title as comment lines with an empty one below, or an empty string if there is none."
    title = comment(text_at(schema, "title"), indent)
    return f"{title}{indent}//\n" if title else ""


def examples_comment(schema: Schema, indent: str) -> str:
    "Return the examples as comment lines under a heading, or an empty string if there are none."
    values = sequence(schema.get("examples"))
    lines = "".join(comment(f"- {literal(value)}", indent) for value in values)
    return f"{indent}// Examples:\n{lines}" if lines else ""


def default_text(schema: Schema) -> str:
    "Return `default: value`. As in openai/harmony, the default of an enum has no quotes."
    match schema:
        case {"default": str(word), "enum": [_, *_]}:
            return f"default: {word}"
        case {"default": value}:
            return f"default: {literal(value)}"
        case _:
            return ""


def trailing_comment(text: str) -> str:
    "Return the text as a comment at the end of a line, with its line breaks replaced by spaces."
    return f" // {' '.join(text.splitlines())}" if text else ""


def text_at(schema: Schema, key: str) -> str:
    "Return the schema's string under the key, or an empty string if it has none."
    return text if isinstance(text := schema.get(key), str) else ""


def literal(value: Any) -> str:
    "Return a JSON value as TypeScript, on one line."
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
