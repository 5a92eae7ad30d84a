"The errors of `llm gpt-oss serve` as its client raises them."

from __future__ import annotations

from llm_gpt_oss.engines.http.server_errors import ErrorResponse, Rule, busy, engine_unreachable, failed
from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EngineError,
    GptOssError,
    ModelMissing,
    Unauthorized,
)

SERVER_NAME = "The server"  # in error messages
REMEDY = "Start it with `llm gpt-oss serve`, or name another address."


def not_this_server(reason: str, status: int | None = None) -> EngineError:
    "Return the error for a server that is not `llm gpt-oss serve`."
    remedy = "Name the address that `llm gpt-oss serve` prints when it starts."
    return EngineError(
        f"The server at this address is not llm-gpt-oss: {reason}.", status=status, remedy=remedy
    )


def _unauthorized(response: ErrorResponse) -> GptOssError:
    message = f"The server needs an API key, or a different one: {response.text}."
    return Unauthorized(message, status=response.status, remedy="Pass it as `key`, or type `--key`.")


def _model_missing(response: ErrorResponse) -> GptOssError:
    message = f"The server does not have the model {response.model}: {response.text}."
    return ModelMissing(message, status=response.status, remedy="`models()` lists those that it has.")


def _overflow(response: ErrorResponse) -> GptOssError:
    return ContextOverflow(f"{response.text}.", remedy="Shorten the conversation.")


def _rejected(response: ErrorResponse) -> GptOssError:
    # The server's own text says what to change.
    param = response.details.get("param")
    message = f"The server rejects the request: {response.text}."
    return BadRequest(message, param=param if isinstance(param, str) else None)


def _not_this_server(response: ErrorResponse) -> GptOssError:
    return not_this_server(response.text or str(response.code), response.status)


RULES = (
    Rule((400,), r"longer than .*context", _overflow),
    Rule((401,), "", _unauthorized),
    Rule((404,), r"(?i)model .*(does not exist|not found)", _model_missing),
    Rule((404,), r"(?i)response|previous", _rejected),
    Rule((301, 302, 303, 307, 308, 404, 405), "", _not_this_server),
    Rule((503,), "does not answer", engine_unreachable),
    Rule((429, 503), "", busy),
    Rule((400, 403, 409, 413, 415, 422), "", _rejected),
    Rule((), "", failed),
)
