from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gpt_oss.engines.http.server_errors import to_error
from llm_gpt_oss.engines.ollama.errors import RULES, context_overflow
from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    NotGptOss,
    OutOfMemory,
    Unauthorized,
    UnusableSchema,
)


def error_of(status: int | None, body: object, model: str | None = None) -> GptOssError:
    return to_error(RULES, "Ollama", status, body, model)


def body(text: str) -> str:
    return json.dumps({"error": text})


def nested(message: str, **details: Any) -> str:
    "An error of llama-server as v0.33 forwards it: JSON as a string in JSON."
    return body(json.dumps({"error": {"code": 400, "message": message, **details}}))


TOO_LONG = nested(
    "request (7575 tokens) exceeds the available context size (4096 tokens), try increasing it",
    type="exceed_context_size_error",
    n_prompt_tokens=7575,
    n_ctx=4096,
)
BAD_SCHEMA = (
    "Field 'json_schema': \"json_schema\": JSON schema conversion failed:\n"
    'Unrecognized schema: {"type":"nonsense"}'
)

# Recorded from v0.24 and v0.33, or possible answers of a gateway.
ANSWERS = [
    (400, body("the input length exceeds the context length"), ContextOverflow, "`-o truncate 1`"),
    (400, TOO_LONG, ContextOverflow, "prompt of 7575 tokens is longer than the model's context of 4096"),
    (
        400,
        body(
            "the prompt is longer than the context length currently available to the model; "
            "shorten the prompt, adjust the context length in settings, "
            "or use a model with a longer context length"
        ),
        ContextOverflow,
        "`-o num_ctx N`",
    ),
    (500, body("invalid JSON schema in format"), UnusableSchema, "invalid JSON schema in format"),
    (400, nested(BAD_SCHEMA, type="invalid_request_error"), UnusableSchema, "Unrecognized schema: {"),
    (
        400,
        body('invalid format: "\\"yaml\\""; expected "json" or a valid JSON Schema object'),
        UnusableSchema,
        "",
    ),
    (500, body("failed to parse grammar"), UnusableSchema, "only plain types"),
    (500, body("failed to load model vocabulary required for format"), UnusableSchema, "plain types"),
    (400, nested("Failed to initialize samplers: failed to parse grammar"), UnusableSchema, ""),
    (400, nested("exceeds the context", n_prompt_tokens="x", n_ctx=-1), ContextOverflow, "`-o num_ctx N`"),
    (500, body("a\x1b[31m\u202eb\x07\r\nc"), EngineError, "(500): a[31mb c."),
    (500, '{"error":' * 5000, EngineError, "Ollama failed with an error (500): "),
    (500, "", EngineError, "Try again"),
    (400, body("odd"), BadRequest, "Change what it names"),
    (400, body('"embed-tiny" does not support generate'), NotGptOss, "gpt-oss:20b"),
    (404, body("model 'tag' not found"), ModelMissing, "`ollama pull tag`, or `llm gpt-oss pull tag`"),
    (404, body("model 'tag:latest' not found"), ModelMissing, "has no model tag."),
    (500, body("pull model manifest: file does not exist"), ModelMissing, "https://ollama.com/library"),
    (
        500,
        body('pull model manifest: Get "https://h:5/v2/": http: server gave HTTP response to HTTPS client'),
        EngineError,
        "type --insecure",
    ),
    (404, "404 page not found", EngineError, "have Ollama's API: 404 page not found. Check that OLLAMA_HOST"),
    (404, "", EngineError, "have Ollama's API: 404."),
    (405, "405 method not allowed", EngineError, "have Ollama's API: 405 method not allowed."),
    (307, "it redirects to https://h/", EngineError, "it redirects to https://h/. Set OLLAMA_HOST"),
    (
        401,
        '{"error":"unauthorized","signin_url":"https://ollama.com/connect?x"}',
        Unauthorized,
        "`llm keys set ollama`",
    ),
    (403, "", EngineError, "IP address in OLLAMA_HOST"),
    (
        403,
        body("ollama cloud is disabled: remote model is unavailable"),
        EngineError,
        "tag runs in Ollama's cloud, which is disabled: ollama cloud is disabled: remote model is "
        "unavailable. Use a model that runs locally",
    ),
    (
        503,
        body("server busy, please try again.  maximum pending requests exceeded"),
        EngineBusy,
        "server busy",
    ),
    (429, body("too many requests"), EngineBusy, "Try again in a moment"),
    (
        400,
        nested("request (4096 tokens) exceeds the context", n_prompt_tokens=4096, n_ctx=4096),
        ContextOverflow,
        "The prompt of 4096 tokens fills the model's context of 4096 and leaves no room for an answer. "
        "Request a longer context with `-o num_ctx 8192`",
    ),
    (400, body("input after truncation exceeds maximum context length"), ContextOverflow, "longer"),
    (
        500,
        body("llama runner process has terminated"),
        EngineError,
        "(500): llama runner process has terminated.",
    ),
    (
        502,
        "<html>\n <h1>Bad Gateway</h1>\n</html>",
        EngineError,
        "(502): <html> <h1>Bad Gateway</h1> </html>.",
    ),
    (500, "", EngineError, "(500): it gives no reason."),
    (500, '{"detail": "odd"}', EngineError, "(500): odd."),
    (500, "{ not JSON", EngineError, "(500): { not JSON."),
    (501, body("this model does not support embeddings"), EngineError, "does not support embeddings"),
    (400, body("unexpected EOF"), BadRequest, "unexpected EOF"),
]


# Of llm/status.go and ml/device.go in Ollama v0.33, of llama.cpp, and of older versions.
MEMORY = [
    "model requires more system memory (13.1 GiB) than is available (3.2 GiB)",
    "insufficient memory - required allocations: {...}",
    "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
    "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory",
    "ggml_backend_cuda_buffer_type_alloc_buffer: hipMalloc failed",
    "llama_init_from_model: failed to allocate context",
    "ggml_vulkan: Device memory allocation failed",
    "vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "ROCm error: out of device memory",
    "not enough memory to load the model",
    "unable to load full model on GPU",
    "error: a long log\n" * 200 + "cudaMalloc failed: out of memory",
]


@pytest.mark.parametrize("status", [500, 503, 400, None])
@pytest.mark.parametrize("text", MEMORY, ids=lambda text: text[:40])
def test_out_of_memory(text: str, status: int | None) -> None:
    error = error_of(status, body(text) if status else text, "tag")
    assert type(error) is OutOfMemory
    assert error.status == status
    assert error.message.startswith(f"Ollama does not have enough memory: {text[:16]}")
    assert len(error.message) < 600
    assert error.remedy is not None
    assert "Unload other models" in error.remedy
    assert "`-o num_ctx 4096`" in error.remedy


@pytest.mark.parametrize(("status", "text", "error_type", "words"), ANSWERS)
def test_error_answers(status: int, text: str, error_type: type[GptOssError], words: str) -> None:
    error = error_of(status, text, "tag")
    assert type(error) is error_type
    assert words in str(error)
    if isinstance(error, EngineError):
        assert error.status == status


# Errors inside a stream have no status, and their text is not wrapped in a body.
LINES = [
    ("invalid JSON schema in format", UnusableSchema),
    (json.loads(TOO_LONG)["error"], ContextOverflow),
    (json.loads(nested(BAD_SCHEMA))["error"], UnusableSchema),
    (json.loads(nested("odd", code=503))["error"], EngineBusy),
    ({"code": 500, "message": "odd"}, EngineError),
    ({"odd": 1}, EngineError),
    (None, EngineError),
    ('pull model manifest: Get "https://registry.ollama.ai/": dial tcp: no such host', EngineError),
]


@pytest.mark.parametrize(("error", "error_type"), LINES)
def test_errors_inside_a_stream(error: object, error_type: type[GptOssError]) -> None:
    caught = error_of(None, error, "tag")
    assert type(caught) is error_type
    assert getattr(caught, "status", None) is None


PARAMS = [
    (500, body('option "num_predict" must be of type integer'), "max_tokens"),
    (500, body('option "seed" must be of type integer'), "seed"),
    (400, body('option "num_ctx" must be of type integer'), "num_ctx"),
    (400, nested("Failed to initialize samplers: penalty_repeat must be finite"), "repeat_penalty"),
    (400, body("top_logprobs must be between 0 and 20"), "top_logprobs"),
    (400, body('time: invalid duration "forever"'), "keep_alive"),
    (400, body("invalid model name"), "model"),
    (400, body("raw mode does not support template, system, or context"), None),
]


@pytest.mark.parametrize(("status", "text", "param"), PARAMS)
def test_the_error_names_the_parameter(status: int, text: str, param: str | None) -> None:
    error = error_of(status, text)
    assert isinstance(error, BadRequest)
    assert error.param == param


def test_the_error_has_the_counts_of_an_overflow() -> None:
    error = error_of(400, TOO_LONG)
    assert isinstance(error, ContextOverflow)
    assert (error.prompt_tokens, error.context_length, error.param) == (7575, 4096, "messages")


LONGER = "Request a longer context with `-o num_ctx {}`, or drop the oldest turns with `-o truncate 1`."


@pytest.mark.parametrize(
    ("tokens", "remedy"),
    [
        (
            None,
            LONGER.format("N"),
        ),
        (
            7575,
            LONGER.format(16384),
        ),
        (
            6000,
            LONGER.format(8192),
        ),
        (130_000, "Drop the oldest turns with `-o truncate 1`."),
    ],
)
def test_the_remedy_names_a_longer_context(tokens: int | None, remedy: str) -> None:
    assert context_overflow(tokens, 4096).remedy == remedy


def test_a_long_text_is_truncated() -> None:
    assert len(str(error_of(500, "x" * 10_000))) < 600


def test_an_error_that_is_nested_too_deep() -> None:
    error: dict[str, Any] = {}
    for _ in range(100_000):
        error = {"odd": error}
    assert "it gives no reason" in str(error_of(None, error))
