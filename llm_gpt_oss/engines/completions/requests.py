"""What an OpenAI-style completion server is asked, each a value. Nothing is sent from here.

vLLM's names, as its `vllm/entrypoints/openai/completion/protocol.py` has them; llama.cpp's server answers at
the same path, and has other names for what OpenAI's API has none for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ...completion import Completion, Json
from ...errors import BadRequest
from ..grammar_subset import grammar_subset
from ..http.client import Request
from ..http.server_errors import context_overflow

# Where a server wants a limit and does not say how much there is room for.
BLIND_LIMIT = 4096


class Dialect(NamedTuple):
    """How servers differ. `limited`: without a limit of ours it would stop after 16 tokens, so it is asked
    for the room that there is. `holds`: under stop strings its text comes cut anywhere, so it is asked for
    the tokens. `logprobs` is the least number for which it tells the chosen tokens' own. `bound` is how a
    schema is sent."""

    limited: bool
    holds: bool
    logprobs: int
    repeat_penalty: str
    bound: Callable[[Json | Literal["json"]], Json]


def _vllm(wanted: Json | Literal["json"]) -> Json:
    if wanted == "json":
        return {"response_format": {"type": "json_object"}}
    # The former since v0.11, the latter before v0.12; each passes over the other.
    return {"structured_outputs": {"json": wanted}, "guided_json": wanted}


def _llama_cpp(wanted: Json | Literal["json"]) -> Json:
    return {"json_schema": {"type": "object"} if wanted == "json" else grammar_subset(wanted)}


DIALECTS = {
    "vllm": Dialect(True, True, 0, "repetition_penalty", _vllm),
    "llama.cpp": Dialect(False, False, 1, "repeat_penalty", _llama_cpp),
}


def completion(wanted: Completion, served_as: str, dialect: Dialect, limit: int | None) -> Request:
    "A stream. `limit` is the room for the answer, for a server that has to be told."
    if wanted.max_tokens is not None and wanted.max_tokens < 1:
        message = f"An answer of {wanted.max_tokens} tokens cannot be asked for."
        raise BadRequest(message, param="max_tokens", remedy="Type `-o max_tokens` with 1 or more.")
    chosen = wanted.sampling
    tokens = wanted.top_logprobs is not None or holds(wanted, dialect)
    body: Json = {
        "model": served_as,
        "prompt": wanted.prompt,
        "stream": True,
        "stream_options": {"include_usage": True},
        # The markers are what the answer is made of.
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
        # The prompt is whole as it is.
        "add_special_tokens": False,
        "max_tokens": wanted.max_tokens or limit,
        "stop": list(wanted.stop) or None,
        "logprobs": max(dialect.logprobs, wanted.top_logprobs or 0) if tokens else None,
        **{name: getattr(chosen, name) for name in chosen.__dataclass_fields__ if name != "repeat_penalty"},
        dialect.repeat_penalty: chosen.repeat_penalty,
        **({} if wanted.format is None else dialect.bound(wanted.format)),
    }
    return Request("/v1/completions", {name: value for name, value in body.items() if value is not None})


def holds(wanted: Completion, dialect: Dialect) -> bool:
    return dialect.holds and bool(wanted.stop)


def count(wanted: Completion, served_as: str) -> Request:
    "How many tokens the prompt has, and how many there may be."
    body = {"model": served_as, "prompt": wanted.prompt, "add_special_tokens": False}
    return Request("/tokenize", body)


def room(who: str, counted: Json) -> int:
    "What is left for the answer. ContextOverflow where nothing is."
    tokens, most = counted.get("count"), counted.get("max_model_len")
    if type(tokens) is not int or type(most) is not int:
        return BLIND_LIMIT
    if tokens >= most:
        raise context_overflow(who, tokens, most)
    return most - tokens
