"""What the errors of llama.cpp's server and of OpenAI-style ones mean: a status and a text in, one of ours
out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    Unauthorized,
    UnusableSchema,
)
from .connection import Endpoint
from .rules import Rule


class ErrorResponse(NamedTuple):
    """An error as the server put it: its name for people, the status (inside a stream what stands for it, if
    anything does), and what it says."""

    who: str
    code: int | None
    text: str
    details: Mapping[str, Any]


def to_error(peer: Endpoint, status: int | None, body: object) -> GptOssError:
    "`body` is the text of an answer, or what a line of a stream calls the error."
    facts = _facts(body)
    code = facts.get("code")
    said = ErrorResponse(
        peer.name,
        code if status is None and type(code) is int else status,
        _printable(facts.get("message")),
        facts,
    )
    return next((rule.means(said) for rule in RULES if rule.matches(said)), _failed(said))


def context_overflow(
    who: str, prompt_tokens: int | None = None, context_length: int | None = None, remedy: str | None = None
) -> ContextOverflow:
    prompt = f"prompt of {prompt_tokens} tokens" if prompt_tokens else "prompt"
    context = f"context of {context_length}" if context_length else "context"
    return ContextOverflow(
        f"The {prompt} is longer than the {context} that {who} has.",
        prompt_tokens=prompt_tokens,
        context_length=context_length,
        remedy=remedy
        or "Start the server with a longer context, or drop the oldest turns with `-o truncate 1`.",
    )


def _facts(body: object) -> Mapping[str, Any]:
    "The innermost object that says something: `error` of an answer, or the answer, as servers differ."
    value = body
    if isinstance(body, str):
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return {"message": body}
    if not isinstance(value, dict):
        return {"message": str(value)}
    for name in ("error", "detail"):
        inner = value.get(name)
        if isinstance(inner, dict):
            return inner
        if inner is not None:
            return {**value, "message": str(inner)}
    return value


def _printable(text: object) -> str:
    "In one line, and with nothing that a terminal obeys: it is shown to a person."
    return "".join(filter(str.isprintable, " ".join(str(text or "").split())))[:500].rstrip(".")


def _overflow(said: ErrorResponse) -> GptOssError:
    return context_overflow(
        said.who, _count(said.details.get("n_prompt_tokens")), _count(said.details.get("n_ctx"))
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _schema(said: ErrorResponse) -> GptOssError:
    return UnusableSchema(
        f"{said.who} cannot bind its output to this schema: {said.text}.",
        param="schema",
        remedy="Write it in plain types, properties, items, enum and required.",
    )


def _unauthorized(said: ErrorResponse) -> GptOssError:
    remedy = "Type `llm keys set NAME`, and add the model with `--key NAME`."
    return Unauthorized(f"{said.who} wants a key, or another one.", status=said.code, remedy=remedy)


def _missing(said: ErrorResponse) -> GptOssError:
    remedy = "Add the model with the name that the server has for it: `--model NAME`."
    return ModelMissing(f"{said.who} says: {said.text}.", status=said.code, remedy=remedy)


def _foreign(said: ErrorResponse) -> GptOssError:
    message = f"What answers there completes no text: {said.text or said.code}."
    return EngineError(message, status=said.code, remedy="Check the address that the model was added with.")


def _busy(said: ErrorResponse) -> GptOssError:
    text = f"{said.who} is busy: {said.text or said.code}."
    return EngineBusy(text, status=said.code, remedy="Try again in a moment.")


def _refused(said: ErrorResponse) -> GptOssError:
    return BadRequest(
        f"{said.who} refuses the request: {said.text}.", remedy="Change what it names, or leave it out."
    )


def _failed(said: ErrorResponse) -> GptOssError:
    status = f" ({said.code})" if said.code else ""
    message = f"{said.who} failed{status}: {said.text or 'it does not say why'}."
    remedy = "Try again; if it stays so, look into its log."
    return EngineError(message, status=said.code, remedy=remedy)


# The first that fits.
RULES: tuple[Rule[ErrorResponse], ...] = (
    Rule((), r"exceeds? the (available )?context|maximum context length|maximum model length", _overflow),
    Rule((), r"(?i)json.?schema|guided|structured.?output|grammar", _schema),
    Rule((401, 403), "", _unauthorized),
    Rule((404,), r"(?i)model .*(does not exist|not found)", _missing),
    Rule((404, 405), "", _foreign),
    Rule((429, 503), "", _busy),
    Rule((400, 413, 422), "", _refused),
)
