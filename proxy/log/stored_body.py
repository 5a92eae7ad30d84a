"""What the log keeps of a request's body: everything but secrets, the contents of files, and what the log
already has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from .body_redaction import may_need_redaction, redacted

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
    return _dumps(redacted(body)) if may_need_redaction(text) else text


def redacted_text(text: str) -> str:
    "A body that is JSON text, without its secrets and the contents of its files."
    return _dumps(redacted(json.loads(text))) if may_need_redaction(text) else text


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
