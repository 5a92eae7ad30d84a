"What Ollama's error answers mean: a status, a text and a tag in, one of our errors out."

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    NotGptOss,
    Unauthorized,
    UnusableSchema,
)
from ..http.rules import Rule

# What gpt-oss was made for.
LONGEST_CONTEXT = 131_072


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    "An error as Ollama put it. `facts` is what llama-server's own error, inside it, says beside its text."

    status: int | None
    text: str
    model: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> int | None:
        "A line of a stream has no status of its own, but the error inside may have."
        return self.details.get("code", self.status)


def to_error(status: int | None, error: object, model: str | None = None) -> GptOssError:
    "`status` is None for a line of a stream, `error` a whole body, or what such a line calls the error."
    text, facts = _unwrapped(error)
    said = ErrorResponse(status, text, model, facts)
    return next((rule.means(said) for rule in RULES if rule.matches(said)), _failed(said))


def context_overflow(prompt_tokens: int | None = None, context_length: int | None = None) -> ContextOverflow:
    "By these counts, where they are known. The context to ask for leaves room for an answer."
    prompt = f"prompt of {prompt_tokens} tokens" if prompt_tokens else "prompt"
    context = f"context of {context_length}" if context_length else "context"
    longer = 1 << (prompt_tokens + 2048).bit_length() if prompt_tokens else "N"
    remedy = "drop the oldest turns with `-o truncate 1`."
    if isinstance(longer, str) or longer <= LONGEST_CONTEXT:
        remedy = f"ask for a longer context with `-o num_ctx {longer}`, or {remedy}"
    return ContextOverflow(
        f"The {prompt} is longer than the model's {context}.",
        prompt_tokens=prompt_tokens,
        context_length=context_length,
        remedy=remedy[0].upper() + remedy[1:],
    )


def not_ollama(what: str, status: int | None = None) -> EngineError:
    "Something answers, but not as Ollama does."
    remedy = "Check that OLLAMA_HOST is where an Ollama runs, without an ending such as /v1."
    return EngineError(f"What answers there is not Ollama's API: {what}.", status=status, remedy=remedy)


def _unwrapped(error: object) -> tuple[str, dict[str, Any]]:
    "The innermost text of errors in errors, some of them JSON in a string, and what stands beside it."
    facts: dict[str, Any] = {}
    while True:
        value = _parsed(error)
        if not isinstance(value, dict) or not value.keys() & {"error", "message"}:
            return _printable(error if isinstance(error, str) else _written(error)), facts
        facts |= value
        error = value.get("error", value.get("message"))


def _parsed(value: object) -> object:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value


def _written(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


def _printable(text: str) -> str:
    "In one line, and with nothing that a terminal obeys: it is shown to a person."
    return "".join(filter(str.isprintable, " ".join(text.split())))[:500]


def _overflow(said: ErrorResponse) -> GptOssError:
    counts = (said.details.get(name) for name in ("n_prompt_tokens", "n_ctx"))
    return context_overflow(*(count if type(count) is int and count > 0 else None for count in counts))


def _schema(said: ErrorResponse) -> GptOssError:
    return UnusableSchema(
        f"Ollama cannot bind its output to this schema: {said.text}.",
        param="schema",
        remedy="Write it in plain types, properties, items, enum and required.",
    )


def _not_harmony(said: ErrorResponse) -> GptOssError:
    return NotGptOss(f"Ollama says: {said.text}.", remedy="Use a gpt-oss model, such as gpt-oss:20b.")


def _missing(said: ErrorResponse) -> GptOssError:
    remedy = f"Type `ollama pull {said.model}`, or `llm gpt-oss pull {said.model}`."
    return ModelMissing(f"Ollama has no model {said.model}.", status=said.status, remedy=remedy)


def _unpublished(said: ErrorResponse) -> GptOssError:
    message = f"There is no model {said.model} to download."
    return ModelMissing(message, status=said.status, remedy="See https://ollama.com/library/gpt-oss/tags.")


def _without_tls(said: ErrorResponse) -> GptOssError:
    remedy = "If that registry is your own, type --insecure."
    return EngineError("The registry does not speak TLS.", status=said.status, remedy=remedy)


def _unauthorized(said: ErrorResponse) -> GptOssError:
    remedy = "Type `llm keys set ollama`, or `ollama signin` if the model runs in Ollama's cloud."
    return Unauthorized("Ollama wants a key, or another one.", status=said.status, remedy=remedy)


def _unknown_name(said: ErrorResponse) -> GptOssError:
    message = "Ollama answers only to host names of its own machine (403)."
    return EngineError(message, status=said.status, remedy="Write its IP address in OLLAMA_HOST.")


def _busy(said: ErrorResponse) -> GptOssError:
    return EngineBusy(f"Ollama is busy: {said.text}.", status=said.status, remedy="Try again in a moment.")


def _moved(said: ErrorResponse) -> GptOssError:
    message = f"Ollama is not at this address: {said.text}."
    return EngineError(message, status=said.status, remedy="Set OLLAMA_HOST to the address that answers.")


def _foreign(said: ErrorResponse) -> GptOssError:
    return not_ollama(said.text or str(said.status), said.status)


def _memory(said: ErrorResponse) -> GptOssError:
    remedy = "Free some memory, or try a shorter context with `-o num_ctx 4096`."
    return EngineError(f"Ollama says: {said.text}.", status=said.status, remedy=remedy)


def _refused(said: ErrorResponse) -> GptOssError:
    found = ((re.search(pattern, said.text), param) for pattern, param in PARAMS)
    param = next((match.expand(param) for match, param in found if match), None)
    remedy = "Change what it names, or leave it out."
    return BadRequest(f"Ollama refuses the request: {said.text}.", param=param, remedy=remedy)


def _failed(said: ErrorResponse) -> GptOssError:
    status = f" ({said.status})" if said.status else ""
    message = f"Ollama failed{status}: {said.text or 'it does not say why'}."
    remedy = "Try again; if it stays so, look into Ollama's log."
    return EngineError(message, status=said.status, remedy=remedy)


# The first that fits. One error is a 400 in one version, a 500 in another, and may be a line of a stream.
RULES: tuple[Rule[ErrorResponse], ...] = (
    Rule((), r"exceeds the (available )?context|longer than the context", _overflow),
    Rule((), r"JSON schema|json_schema|invalid format|vocabulary required for format|grammar", _schema),
    Rule((), r"does not support (generate|completion)", _not_harmony),
    Rule((), r"pull model manifest: file does not exist", _unpublished),
    Rule((), r"HTTP response to HTTPS client|not look like a TLS handshake", _without_tls),
    Rule((), r"requires more system memory", _memory),
    Rule((301, 302, 303, 307, 308), "", _moved),
    Rule((401,), "", _unauthorized),
    Rule((403,), "^$", _unknown_name),
    Rule((404,), r"model .*not found", _missing),
    Rule((404, 405), "", _foreign),
    Rule((429, 503), "", _busy),
    Rule((400,), "", _refused),
    Rule((), r'^option "', _refused),
)

# Which parameter of ours a text is about.
PARAMS = (
    (r'option "num_predict"', "max_tokens"),
    (r'option "(\w+)"', r"\1"),
    (r"penalty_repeat", "repeat_penalty"),
    (r"top_logprobs", "top_logprobs"),
    (r"invalid duration", "keep_alive"),
    (r"model name", "model"),
)
