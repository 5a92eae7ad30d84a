"The errors of Ollama."

from __future__ import annotations

import re

from ...errors import ContextOverflow, EngineError, GptOssError, ModelMissing, NotGptOss, Unauthorized
from ..http.server_errors import (
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

# The context length that gpt-oss was trained for.
MAX_CONTEXT = 131_072
# Tokens that a longer context should leave for the answer.
ANSWER_TOKENS = 2048


def context_overflow(prompt_tokens: int | None = None, context_length: int | None = None) -> ContextOverflow:
    """Return the error for a prompt that does not fit. The counts are None where they are not known.

    The remedy names a context length that leaves room for an answer.
    """
    longer = 1 << (prompt_tokens + ANSWER_TOKENS).bit_length() if prompt_tokens else None
    remedy = "Drop the oldest turns with `-o truncate 1`."
    if longer is None or longer <= MAX_CONTEXT:
        remedy = (
            f"Request a longer context with `-o num_ctx {longer or 'N'}`, "
            "or drop the oldest turns with `-o truncate 1`."
        )
    return ContextOverflow(
        overflow_message(prompt_tokens, context_length, "the model's"),
        prompt_tokens=prompt_tokens,
        context_length=context_length,
        remedy=remedy,
    )


def not_ollama(reason: str, status: int | None = None) -> EngineError:
    "Return the error for a server that does not have Ollama's API."
    remedy = "Check that OLLAMA_HOST is the address of Ollama, without an ending such as /v1."
    return EngineError(
        f"The server at this address does not have Ollama's API: {reason}.", status=status, remedy=remedy
    )


def _overflow(response: ErrorResponse) -> GptOssError:
    return context_overflow(*overflow_counts(response))


def _not_gpt_oss(response: ErrorResponse) -> GptOssError:
    return NotGptOss(f"Ollama says: {response.text}.", remedy="Use a gpt-oss model, such as gpt-oss:20b.")


def _model_missing(response: ErrorResponse) -> GptOssError:
    remedy = f"Type `ollama pull {response.model}`, or `llm gpt-oss pull {response.model}`."
    return ModelMissing(f"Ollama has no model {response.model}.", status=response.status, remedy=remedy)


def _not_in_registry(response: ErrorResponse) -> GptOssError:
    message = f"There is no model {response.model} to download."
    remedy = "See https://ollama.com/library/gpt-oss/tags."
    return ModelMissing(message, status=response.status, remedy=remedy)


def _registry_without_tls(response: ErrorResponse) -> GptOssError:
    message = "The registry does not use TLS."
    return EngineError(message, status=response.status, remedy="If it is your own registry, type --insecure.")


def _unauthorized(response: ErrorResponse) -> GptOssError:
    message = "Ollama needs an API key, or a different one."
    remedy = "Type `llm keys set ollama`, or `ollama signin` if the model runs in Ollama's cloud."
    return Unauthorized(message, status=response.status, remedy=remedy)


def _host_rejected(response: ErrorResponse) -> GptOssError:
    message = "Ollama answers only to host names of its own machine (403)."
    return EngineError(message, status=response.status, remedy="Write its IP address in OLLAMA_HOST.")


def _redirect(response: ErrorResponse) -> GptOssError:
    message = f"Ollama is not at this address: {response.text}."
    return EngineError(message, status=response.status, remedy="Set OLLAMA_HOST to the address that answers.")


def _not_ollama(response: ErrorResponse) -> GptOssError:
    return not_ollama(response.text or str(response.code), response.status)


def _out_of_memory(response: ErrorResponse) -> GptOssError:
    remedy = (
        "Unload other models with `llm gpt-oss unload TAG`, close other programs, or try a shorter context "
        "with `-o num_ctx 4096`."
    )
    return out_of_memory(response, remedy)


def _cloud_disabled(response: ErrorResponse) -> GptOssError:
    message = f"{response.model or 'The model'} runs in Ollama's cloud, which is disabled: {response.text}."
    remedy = "Use a model that runs locally, such as gpt-oss:20b, or unset OLLAMA_NO_CLOUD where Ollama runs."
    return EngineError(message, status=response.status, remedy=remedy)


def _rejected(response: ErrorResponse) -> GptOssError:
    matches = ((re.search(pattern, response.text), param) for pattern, param in PARAMS)
    return rejected(response, next((match.expand(param) for match, param in matches if match), None))


# Ollama uses 400 for an error in one version and 500 in another, and sends the same error inside a stream.
RULES = (
    Rule((), r"exceeds (the|maximum) (available )?context|longer than the context", _overflow),
    Rule(
        (), r"JSON schema|json_schema|invalid format|vocabulary required for format|grammar", unusable_schema
    ),
    Rule((), r"does not support (generate|completion)", _not_gpt_oss),
    Rule((), r"pull model manifest: file does not exist", _not_in_registry),
    Rule((), r"HTTP response to HTTPS client|not look like a TLS handshake", _registry_without_tls),
    Rule((), OUT_OF_MEMORY, _out_of_memory),
    Rule((), r"cloud is disabled", _cloud_disabled),
    Rule((301, 302, 303, 307, 308), "", _redirect),
    Rule((401,), "", _unauthorized),
    Rule((403,), "^$", _host_rejected),
    Rule((404,), r"model .*not found", _model_missing),
    Rule((404, 405), "", _not_ollama),
    Rule((429, 503), "", busy),
    Rule((400,), "", _rejected),
    Rule((), r'^option "', _rejected),
)

# The option that an error is about.
PARAMS = (
    (r'option "num_predict"', "max_tokens"),
    (r'option "(\w+)"', r"\1"),
    (r"penalty_repeat", "repeat_penalty"),
    (r"top_logprobs", "top_logprobs"),
    (r"invalid duration", "keep_alive"),
    (r"model name", "model"),
)
