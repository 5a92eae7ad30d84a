"""What a schema says to its reader, as TypeScript comments."""

from __future__ import annotations

import json
from typing import Any

from .schema import Schema, mapping, sequence


def comment(text: str, indent: str = "") -> str:
    "The text as whole comment lines; nothing in it can leave the comment."
    return "".join(f"{indent}// {line}\n" for line in text.splitlines())


def about_items(schema: Schema) -> str:
    "What an array's schema says of its items, unless they are objects, which say it themselves."
    items = mapping(schema.get("items"))
    return "" if items.get("type") == "object" else said(items, "description")


def examples(schema: Schema, indent: str) -> str:
    "The examples as comment lines under a heading."
    values = sequence(schema.get("examples"))
    lines = "".join(f"{indent}// - {literal(value)}\n" for value in values)
    return f"{indent}// Examples:\n{lines}" if lines else ""


def default(schema: Schema) -> str:
    "The default in words, the way OpenAI has it: one of an enum stands bare."
    match schema:
        case {"default": str(word), "enum": [_, *_]}:
            return f"default: {word}"
        case {"default": value}:
            return f"default: {literal(value)}"
        case _:
            return ""


def trailing(text: str) -> str:
    "The text as a comment that ends a line."
    return f" // {' '.join(text.splitlines())}" if text else ""


def said(schema: Schema, key: str) -> str:
    "The schema's text under the key, empty where there is none."
    return text if isinstance(text := schema.get(key), str) else ""


def literal(value: Any) -> str:
    "A JSON value as one line of TypeScript."
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
