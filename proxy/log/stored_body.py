"""What the log keeps of a request's body: everything but secrets and what the log already has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

# Texts under these keys are not kept, wherever they are in the body.
SECRETS = ("authorization", "api_key", "api-key", "x-api-key")
REPLACED_SECRET = "…"
# Fields that programs send again with each request. Long ones are stored once, however many turns use them.
SHARED_FIELDS = ("tools", "instructions", "system", "response_format", "text", "format", "prompt")
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
    field = "input" if "input" in body else "messages"
    return {**body, field: body[field][entries:]}


def to_text(body: Any) -> str:
    "The body as JSON text, without its secrets."
    text = _dumps(body)
    return _dumps(_without_secrets(body)) if _may_hold_secrets(text) else text


def without_secrets(text: str, parsed: Any = None) -> Any:
    "The value of a body that is JSON text, without its secrets. `parsed` is its value where that is known."
    body = json.loads(text) if parsed is None else parsed
    return _without_secrets(body) if _may_hold_secrets(text) else body


def text_without_secrets(text: str) -> str:
    "A body that is JSON text, without its secrets."
    return _dumps(without_secrets(text)) if _may_hold_secrets(text) else text


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


def _may_hold_secrets(text: str) -> bool:
    """Whether JSON text has to be searched for secrets, which takes long for a long conversation.

    A key may be written with escapes."""
    lowered = text.lower()
    return "\\u" in lowered or any(secret in lowered for secret in SECRETS)


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: REPLACED_SECRET
                if key.lower() in SECRETS and isinstance(field, str)
                else _without_secrets(field)
                for key, field in value.items()
            }
        case list():
            return [_without_secrets(item) for item in value]
    return value
