"""One text or several, as `/v1/completions` and `/v1/embeddings` take them."""

from __future__ import annotations

from ..http.errors import ApiError

Texts = str | list[str] | list[int] | list[list[int]]
# OpenAI's own limit (SDK, `types/embedding_create_params.py`).
MOST = 2048


def parse_texts(given: Texts, param: str) -> list[str]:
    "Raises ApiError for token ids, for an empty list and for a list that is too long."
    if isinstance(given, str):
        return [given]
    if not given:
        raise ApiError(400, f"'{param}' is an empty list.", code="invalid_value", param=param)
    if len(given) > MOST:
        message = f"'{param}' has {len(given)} entries, and {MOST} are the most."
        raise ApiError(400, message, code="array_above_max_length", param=param)
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        message = f"'{param}' holds token ids, which mean other tokens to each model: send text instead."
        raise ApiError(400, message, code="unsupported_value", param=param)
    return texts
