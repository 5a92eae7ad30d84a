"The errors of llama.cpp's server and of servers with OpenAI's completion API."

from __future__ import annotations

from ...errors import ContextOverflow, EngineError, GptOssError, ModelMissing, Unauthorized
from .server_errors import (
    OUT_OF_MEMORY,
    ErrorResponse,
    Rule,
    busy,
    out_of_memory,
    overflow_counts,
    overflow_message,
    rejected,
    unusable_schema,
)


def context_overflow(
    server: str, prompt_tokens: int | None = None, context_length: int | None = None
) -> ContextOverflow:
    "Return the error for a prompt that does not fit. The counts are None where they are not known."
    return ContextOverflow(
        overflow_message(prompt_tokens, context_length, f"{server}'s"),
        prompt_tokens=prompt_tokens,
        context_length=context_length,
        remedy="Start the server with a longer context, or drop the oldest turns with `-o truncate 1`.",
    )


def no_completion_api(reason: str, status: int | None = None) -> EngineError:
    "Return the error for a server that does not have a completion API."
    message = f"The server at this address has no API for completions: {reason}."
    return EngineError(message, status=status, remedy="Check the address that the model was added with.")


def _overflow(response: ErrorResponse) -> GptOssError:
    return context_overflow(response.server, *overflow_counts(response))


def _out_of_memory(response: ErrorResponse) -> GptOssError:
    return out_of_memory(response, "Close other programs there, or start the server with a shorter context.")


def _unauthorized(response: ErrorResponse) -> GptOssError:
    message = f"{response.server} needs an API key, or a different one."
    remedy = "Type `llm keys set NAME`, and add the model with `--key NAME`."
    return Unauthorized(message, status=response.status, remedy=remedy)


def _model_missing(response: ErrorResponse) -> GptOssError:
    remedy = "Add the model with the name that the server has for it: `--model NAME`."
    message = f"{response.server} does not have the model: {response.text}."
    return ModelMissing(message, status=response.status, remedy=remedy)


def _no_completion_api(response: ErrorResponse) -> GptOssError:
    return no_completion_api(response.text or str(response.code), response.status)


RULES = (
    Rule((), r"exceeds? the (available )?context|maximum context length|maximum model length", _overflow),
    Rule((), r"(?i)json.?schema|guided|structured.?output|grammar", unusable_schema),
    Rule((), OUT_OF_MEMORY, _out_of_memory),
    Rule((401, 403), "", _unauthorized),
    Rule((404,), r"(?i)model .*(does not exist|not found)", _model_missing),
    Rule((404, 405), "", _no_completion_api),
    Rule((429, 503), "", busy),
    Rule((400, 413, 422), "", rejected),
)
