"""The errors of `llm gpt-oss serve`.

It passes on errors of Ollama, and has errors of its own: for keys, host names and unknown models.
"""

from __future__ import annotations

from ...errors import ContextOverflow, EngineError, GptOssError, ModelMissing, Unauthorized
from ..http.server_errors import (
    ErrorResponse,
    Rule,
    busy,
    engine_unreachable,
    overflow_counts,
    overflow_message,
    rejected,
    unusable_schema,
)


def not_this_server(reason: str, status: int | None = None) -> EngineError:
    "Return the error for a server that is not `llm gpt-oss serve`."
    remedy = "Add the model with the address of a server that `llm gpt-oss serve` runs: `--proxy URL`."
    return EngineError(
        f"The server at this address is not llm-gpt-oss: {reason}.", status=status, remedy=remedy
    )


def _overflow(response: ErrorResponse) -> GptOssError:
    prompt_tokens, context_length = overflow_counts(response)
    return ContextOverflow(
        overflow_message(prompt_tokens, context_length, "the model's"),
        prompt_tokens=prompt_tokens,
        context_length=context_length,
        remedy="Drop the oldest turns with `-o truncate 1`, or start the server with a larger --num-ctx.",
    )


def _unauthorized(response: ErrorResponse) -> GptOssError:
    message = f"{response.server} needs an API key, or a different one."
    remedy = (
        "Type `llm gpt-oss keys add NAME` there. Here, type `llm keys set NAME`, and add the model with "
        "`--key NAME`."
    )
    return Unauthorized(message, status=response.status, remedy=remedy)


def _model_missing(response: ErrorResponse) -> GptOssError:
    message = f"{response.server} does not have the model {response.model}: {response.text}."
    remedy = "Add the model with a name that the server has for it: `--model NAME`."
    return ModelMissing(message, status=response.status, remedy=remedy)


def _not_this_server(response: ErrorResponse) -> GptOssError:
    return not_this_server(response.text or str(response.code), response.status)


RULES = (
    Rule((), r"exceeds the (available )?context|longer than .*context", _overflow),
    Rule(
        (),
        r"JSON schema|json_schema|to this schema|[ _]format\b|grammar",
        unusable_schema,
    ),
    Rule((401,), "", _unauthorized),
    Rule((404,), r"(?i)model .*(does not exist|not found)", _model_missing),
    Rule((301, 302, 303, 307, 308, 404, 405), "", _not_this_server),
    Rule((503,), "does not answer", engine_unreachable),
    Rule((429, 503), "", busy),
    Rule((400, 403, 413, 422), "", rejected),
)
