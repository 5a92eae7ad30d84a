"The requests of the client, as values."

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.http.request import Request

from .answer import Answer, Health, Model, chat_answer, response_answer

# A question, or the messages of a conversation in the form of OpenAI's API.
Messages = str | Sequence[Mapping[str, Any]]


def chat(model: str, messages: Messages, fields: Json) -> Request[Answer]:
    body = {"model": model, "messages": _message_list(messages), **fields}
    return Request("/v1/chat/completions", chat_answer, body, model)


def chat_chunks(model: str, messages: Messages, fields: Json) -> Request[Json]:
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    body = {"model": model, "messages": _message_list(messages), **streamed, **fields}
    return Request("/v1/chat/completions", lambda data: data, body, model)


def response(model: str, input: Messages, previous: str | None, fields: Json) -> Request[Answer]:
    continued = {"previous_response_id": previous} if previous else {}
    items = input if isinstance(input, str) else list(input)
    body = {"model": model, "input": items, **continued, **fields}
    return Request("/v1/responses", response_answer, body, model)


def models() -> Request[list[Model]]:
    return Request(
        "/v1/models", lambda data: [Model(model["id"], model["owned_by"]) for model in data["data"]]
    )


def health() -> Request[Health]:
    return Request("/health", _health)


def _health(data: Json) -> Health:
    problems = tuple(data.get("problems", ()))
    return Health(data["status"], data["engine"], data["model"], data["loaded"], data["version"], problems)


def _message_list(messages: Messages) -> list[Any]:
    return [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
