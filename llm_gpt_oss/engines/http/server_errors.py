"""Converts a server's error answers to errors of this project.

Each server has its own table of rules. The first rule that matches the answer makes the error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...completion import Json
from ...errors import (
    BadRequest,
    EmptyStream,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    OutOfMemory,
    StreamCut,
    UnusableSchema,
)

MAX_TEXT = 500
# Patterns are looked for up to this length.
MAX_SEARCHED = 10_000


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error as the server reported it.

    `server` is the server's name in messages. `status` is the HTTP status, None for an error inside a stream.
    `full_text` is one printable line. `model` is the model of the request, if it has one. `details` are the
    other fields of the error objects, those of inner objects first.
    """

    server: str
    status: int | None
    full_text: str
    model: str | None
    details: Mapping[str, Any]

    @property
    def text(self) -> str:
        "The text as messages show it. It can be several pages of a log."
        return self.full_text[:MAX_TEXT].rstrip(". ")

    @property
    def code(self) -> int | None:
        "The status in the error object itself, or the HTTP status. Codes that are not statuses are ignored."
        code = self.details.get("code")
        return code if type(code) is int and 400 <= code < 600 else self.status


@dataclass(frozen=True, slots=True)
class Rule:
    "Matches an error by its code (empty: any) and by a pattern in its text, and makes our error of it."

    codes: tuple[int, ...]
    pattern: str
    make_error: Callable[[ErrorResponse], GptOssError]

    def matches(self, response: ErrorResponse) -> bool:
        return (not self.codes or response.code in self.codes) and bool(
            re.search(self.pattern, response.full_text[:MAX_SEARCHED])
        )


def to_error(
    rules: tuple[Rule, ...], server: str, status: int | None, body: object, model: str | None = None
) -> GptOssError:
    """Return the error for a server's answer.

    `body` is the text of an HTTP answer, or an object of a stream (then `status` is None).
    """
    text, details = unwrap(body)
    response = ErrorResponse(server, status, text, model, details)
    return next((rule.make_error(response) for rule in rules if rule.matches(response)), failed(response))


def unwrap(body: object) -> tuple[str, dict[str, Any]]:
    """Return the innermost text of nested error objects, and their other fields.

    Servers nest `error`, `detail` (FastAPI) and `message`, and Ollama also forwards the JSON of llama-server
    as a string.
    """
    details: dict[str, Any] = {}
    while True:
        value = _parse_json(body)
        if not isinstance(value, dict):
            return _one_line(body if isinstance(body, str) else _to_json(body)), details
        inner = next((name for name in ("error", "detail", "message") if name in value), None)
        if inner is None:
            return _one_line(body if isinstance(body, str) else _to_json(value)), details
        details |= value
        body = value[inner]


def _parse_json(value: object) -> object:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value


def _to_json(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


def _one_line(text: str) -> str:
    "Remove line breaks and control characters from a text that is printed to a terminal."
    return "".join(filter(str.isprintable, " ".join(text.split()))).rstrip(".")


# Errors that all servers have.


def overflow_counts(response: ErrorResponse) -> tuple[int | None, int | None]:
    "Return the tokens of the prompt and of the context, as llama.cpp's server reports them."
    counts = (response.details.get(name) for name in ("n_prompt_tokens", "n_ctx"))
    prompt, context = (count if type(count) is int and count > 0 else None for count in counts)
    return prompt, context


def overflow_message(prompt_tokens: int | None, context_length: int | None, owner: str) -> str:
    "Return the message for a prompt that is too long. `owner` is whose context it is, such as `the model's`."
    prompt = f"prompt of {prompt_tokens} tokens" if prompt_tokens else "prompt"
    context = f"context of {context_length}" if context_length else "context"
    if prompt_tokens and prompt_tokens == context_length:
        return f"The {prompt} fills {owner} {context} and leaves no room for an answer."
    return f"The {prompt} is longer than {owner} {context}."


# What llama.cpp and the libraries of GPUs say (see Ollama's llm/status.go), vLLM, and older versions of
# Ollama.
OUT_OF_MEMORY = (
    r"(?i)out of (device |host )?memory|(cuda|hip)Malloc failed|failed to allocate|allocation failed"
    r"|(not enough|insufficient|requires more system) memory|ErrorOutOf(Device|Host)?Memory|OutOfMemoryError"
    r"|vk_error_out_of_(device|host)_memory|unable to load full model on GPU"
)


def out_of_memory(response: ErrorResponse, remedy: str) -> GptOssError:
    message = f"{response.server} does not have enough memory: {response.text}."
    return OutOfMemory(message, status=response.status, remedy=remedy)


def unusable_schema(response: ErrorResponse) -> GptOssError:
    return UnusableSchema(
        f"{response.server} cannot constrain its output to this schema: {response.text}.",
        param="schema",
        remedy="Use only plain types, properties, items, enum and required in it.",
    )


def busy(response: ErrorResponse) -> GptOssError:
    message = f"{response.server} is too busy to answer: {response.text or response.code}."
    return EngineBusy(message, status=response.status, remedy="Try again in a moment.")


def engine_unreachable(response: ErrorResponse) -> GptOssError:
    "Return the error of a server whose own engine does not answer. Its text says what to type there."
    message = f"{response.server} cannot reach its engine: {response.text}."
    return EngineUnreachable(message, status=response.status)


def rejected(response: ErrorResponse, param: str | None = None) -> GptOssError:
    message = f"{response.server} rejects the request: {response.text}."
    return BadRequest(message, param=param, remedy="Change what it names, or leave it out.")


def failed(response: ErrorResponse) -> GptOssError:
    code = f" ({response.status or response.code})" if response.code else ""
    message = f"{response.server} failed with an error{code}: {response.text or 'it gives no reason'}."
    remedy = "Try again. If it fails again, look into the log of the server."
    return EngineError(message, status=response.status, remedy=remedy)


# Streams that end too early.


def empty_stream(server: str) -> EmptyStream:
    remedy = "Try again, or change the wording of the prompt."
    return EmptyStream(f"{server} returned an empty answer.", remedy=remedy)


def unfinished_stream(server: str) -> StreamCut:
    remedy = "The model may have repeated itself, or the server was stopped. Try again."
    return StreamCut(f"{server}'s answer ended in the middle.", remedy=remedy)


def unexpected_event(server: str, event: Json) -> StreamCut:
    excerpt = json.dumps(event)[:200]
    remedy = "Try again. If it fails again, check the address of the server."
    return StreamCut(f"{server} sent an event of an unexpected form: {excerpt}.", remedy=remedy)
