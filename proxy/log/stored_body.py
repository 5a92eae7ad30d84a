"""What the log keeps of a request's body: everything but secrets, the contents of files, and what the log
already has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

# Texts under these keys are not kept, wherever they are in the body.
SECRETS = ("authorization", "api_key", "api-key", "x-api-key")
REPLACED_SECRET = "…"  # noqa: S105 (what replaces one)
# Images, audio and files are data URLs, or base64 under one of these keys. Of long ones only the beginning is
# kept: the model does not get them, and they can be as long as all texts of a year.
FILE_FIELDS = ("data", "file_data")
MAX_FILE = 1000
KEPT_OF_FILE = 50
# Fields that programs send again with each request. Long ones are stored once, however many turns use them.
SHARED_FIELDS = (
    "tools",
    "functions",
    "instructions",
    "system",
    "response_format",
    "text",
    "format",
    "prompt",
)
# From this length on, in characters of JSON.
LONG = 400


@dataclass(frozen=True, slots=True)
class SharedField:
    "A field of a body: its value as JSON text, and a hash of that."

    name: str
    hash: str
    value: str


def shorten(body: Any, entries: int) -> Any:
    "The body without the first entries of its list of messages or items."
    if not entries:
        return body
    field = "input" if isinstance(body.get("input"), list) else "messages"
    return {**body, field: body[field][entries:]}


def to_text(body: Any) -> str:
    "The body as JSON text, without its secrets and the contents of its files."
    text = _dumps(body)
    return _dumps(_redacted(body)) if _may_need_redaction(text) else text


def redacted_value(text: str, parsed: Any = None) -> Any:
    """The value of a body that is JSON text, without its secrets and the contents of its files.

    `parsed` is its value where that is known.
    """
    body = json.loads(text) if parsed is None else parsed
    return _redacted(body) if _may_need_redaction(text) else body


def redacted_text(text: str) -> str:
    "A body that is JSON text, without its secrets and the contents of its files."
    return _dumps(redacted_value(text)) if _may_need_redaction(text) else text


def split_shared_fields(body: Any) -> tuple[Any, list[SharedField]]:
    "The body without its long shared fields, and these."
    if not isinstance(body, dict):
        return body, []
    fields = [_shared_field(name, body[name]) for name in SHARED_FIELDS if body.get(name)]
    long = {field.name: field for field in fields if len(field.value) >= LONG}
    return {name: value for name, value in body.items() if name not in long}, [*long.values()]


def join_shared_fields(body: str | None, fields: str | None) -> Mapping[str, Any]:
    "A body as it was before its fields, a JSON object, were stored elsewhere."
    joined: Mapping[str, Any] = json.loads(body or "{}")
    return {**joined, **json.loads(fields)} if fields not in (None, "{}") else joined


def _shared_field(name: str, value: Any) -> SharedField:
    text = to_text(value)
    return SharedField(name, blake2b(text.encode(), digest_size=16).hexdigest(), text)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _may_need_redaction(text: str) -> bool:
    """Whether JSON text has to be searched for secrets and files, which takes long for a long conversation.

    A key may be written with escapes."""
    lowered = text.lower()
    marks = ("\\u", ";base64,", *(f'"{field}"' for field in FILE_FIELDS), *SECRETS)
    return any(mark in lowered for mark in marks)


def _redacted(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: _redacted_text(key, field) if isinstance(field, str) else _redacted(field)
                for key, field in value.items()
            }
        case list():
            return [_redacted(item) for item in value]
    return value


def _redacted_text(key: str, text: str) -> str:
    if key.lower() in SECRETS:
        return REPLACED_SECRET
    is_file = len(text) > MAX_FILE and (key in FILE_FIELDS or text.startswith("data:"))
    return f"{text[:KEPT_OF_FILE]}…" if is_file else text
