"""One text or several, as `/v1/completions` and `/v1/embeddings` accept them."""

from __future__ import annotations

from typing import Annotated

from pydantic import WithJsonSchema

from ..http.errors import ApiError

# OpenAI's own limit (SDK, `types/embedding_create_params.py`).
MAX_TEXTS = 2048
# Token ids are read only to say that they are refused, so the description of the API does not have them.
TextInput = Annotated[
    str | list[str] | list[int] | list[list[int]],
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_TEXTS},
            ]
        }
    ),
]


def parse_texts(value: TextInput, param: str) -> list[str]:
    "Raises ApiError for an empty list, for a list that is too long and for token ids."
    if isinstance(value, str):
        return [value]
    if not value:
        message = f"'{param}' is an empty list. Send at least one text."
        raise ApiError(400, message, code="invalid_value", param=param)
    if len(value) > MAX_TEXTS:
        message = f"'{param}' has {len(value)} entries. Send at most {MAX_TEXTS}."
        raise ApiError(400, message, code="array_above_max_length", param=param)
    texts = [text for text in value if isinstance(text, str)]
    if len(texts) < len(value):
        message = f"'{param}' has token ids, whose meaning differs between models. Send text instead."
        raise ApiError(400, message, code="unsupported_value", param=param)
    return texts
