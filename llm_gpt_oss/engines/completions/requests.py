"""Requests to a server with OpenAI's completion API, as values.

The names are those of vLLM (`vllm/entrypoints/openai/completion/protocol.py`). llama.cpp's server has the
same endpoint, and other names for options that OpenAI's API does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ...completion import Completion, Json
from ..grammar_subset import grammar_subset
from ..http.completion_fields import check_max_tokens, sampling_fields, without_none
from ..http.openai_errors import context_overflow
from ..http.request import Request
from ..http.token_splitter import holds_text_back

# The limit for a server that needs one and does not count tokens.
DEFAULT_MAX_TOKENS = 4096


class Dialect(NamedTuple):
    """The differences between servers.

    `needs_max_tokens`: without a limit the server stops after 16 tokens.
    `reports_tokens`: log probabilities contain each token of text that the server held back. llama.cpp
    reports such text as one token.
    `min_logprobs`: the smallest `logprobs` with which the server reports the chosen tokens.
    `repeat_penalty`: the name of that option. `schema_fields` returns the request fields for a schema.
    """

    needs_max_tokens: bool
    reports_tokens: bool
    min_logprobs: int
    repeat_penalty: str
    schema_fields: Callable[[Json | Literal["json"]], Json]


def _vllm_schema(schema: Json | Literal["json"]) -> Json:
    if schema == "json":
        return {"response_format": {"type": "json_object"}}
    # `structured_outputs` since v0.11, `guided_json` before v0.12. Each version ignores the other field.
    return {"structured_outputs": {"json": schema}, "guided_json": schema}


def _llama_cpp_schema(schema: Json | Literal["json"]) -> Json:
    return {"json_schema": {"type": "object"} if schema == "json" else grammar_subset(schema)}


DIALECTS = {
    "vllm": Dialect(True, True, 0, "repetition_penalty", _vllm_schema),
    "llama.cpp": Dialect(False, False, 1, "repeat_penalty", _llama_cpp_schema),
}


def completion_request(
    completion: Completion, model_name: str, dialect: Dialect, max_tokens: int | None
) -> Request[Json]:
    """Return a request for a stream of at most `max_tokens` tokens.

    Raises BadRequest if the completion's own limit is below one token.
    """
    check_max_tokens(completion)
    options = sampling_fields(completion)
    repeat_penalty = options.pop("repeat_penalty")
    wants_tokens = dialect.reports_tokens and holds_text_back(completion)
    body: Json = {
        "model": model_name,
        "prompt": completion.prompt,
        "stream": True,
        "stream_options": {"include_usage": True},
        # The answer consists of the markers and the text between them.
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
        # The prompt is complete.
        "add_special_tokens": False,
        "max_tokens": max_tokens,
        "stop": list(completion.stop) or None,
        "logprobs": (
            max(dialect.min_logprobs, completion.top_logprobs or 0)
            if completion.top_logprobs is not None or wants_tokens
            else None
        ),
        **options,
        dialect.repeat_penalty: repeat_penalty,
        **({} if completion.format is None else dialect.schema_fields(completion.format)),
    }
    return Request("/v1/completions", lambda data: data, without_none(body))


def token_count_request(completion: Completion, model_name: str, server_name: str) -> Request[int]:
    """Return a request that counts the prompt's tokens. Its answer is how many tokens the context has left.

    `parse` raises ContextOverflow if none are left. The answer is `DEFAULT_MAX_TOKENS` if the server does not
    report both numbers.
    """

    def parse(data: Json) -> int:
        prompt_tokens, context_length = data.get("count"), data.get("max_model_len")
        if type(prompt_tokens) is not int or type(context_length) is not int:
            return DEFAULT_MAX_TOKENS
        if prompt_tokens >= context_length:
            raise context_overflow(server_name, prompt_tokens, context_length)
        return context_length - prompt_tokens

    body = {"model": model_name, "prompt": completion.prompt, "add_special_tokens": False}
    return Request("/tokenize", parse, body)
