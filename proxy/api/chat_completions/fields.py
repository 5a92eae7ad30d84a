"""What the server does with each field of a chat request.

OpenAI's fields come first (SDK, `types/chat/completion_create_params.py`), then those that clients of local
models send. The documentation's table is generated from this one.
"""

from __future__ import annotations

from typing import Any

from ...http.body_model import Decision

FIELDS: dict[str, tuple[Decision, str]] = {
    "messages": (
        "honoured",
        "all roles; text stands for images, audio and files of the history; the newest may have none",
    ),
    "model": ("honoured", ""),
    "audio": ("refused", "gpt-oss writes text only"),
    "frequency_penalty": ("honoured", ""),
    "function_call": ("refused", "send `tool_choice` instead"),
    "functions": ("refused", "send `tools` instead"),
    "logit_bias": ("refused", "Ollama has no such option"),
    "logprobs": ("honoured", "for the answer's tokens, not for the reasoning's"),
    "max_completion_tokens": ("honoured", "includes reasoning tokens"),
    "max_tokens": ("honoured", "the older name of `max_completion_tokens`, which takes precedence"),
    "metadata": ("honoured", "stored with the turn; you can list stored completions by it"),
    "modalities": ("honoured", "text only"),
    "moderation": ("refused", "there is no moderation model"),
    "n": ("honoured", "up to 16, generated one after the other, each with its own seed"),
    "parallel_tool_calls": ("honoured", "false: at most one call"),
    "prediction": ("no effect", "only a hint for speed"),
    "presence_penalty": ("honoured", ""),
    "prompt_cache_key": ("no effect", "the engine caches by prefix"),
    "prompt_cache_options": ("no effect", "the engine caches by prefix"),
    "prompt_cache_retention": ("no effect", "the engine caches by prefix"),
    "reasoning_effort": ("honoured", "none to max"),
    "response_format": ("honoured", "text, json_object and json_schema, which is always strict"),
    "safety_identifier": ("no effect", ""),
    "seed": ("honoured", ""),
    "service_tier": ("no effect", "there is only one tier"),
    "stop": ("honoured", "up to 4 strings; they end the answer, not the reasoning"),
    "store": ("honoured", "true: `GET /v1/chat/completions` lists and returns the completion"),
    "stream": ("honoured", ""),
    "stream_options": ("honoured", "include_usage"),
    "temperature": ("honoured", ""),
    "tool_choice": ("honoured", "enforced, including allowed_tools"),
    "tools": ("honoured", "function and custom; the model sees a grammar, but it is not enforced"),
    "top_logprobs": ("honoured", "up to 20"),
    "top_p": ("honoured", ""),
    "user": ("no effect", ""),
    "verbosity": ("honoured", "as an instruction to the model"),
    "web_search_options": ("refused", "there is no web search"),
    # Not OpenAI's.
    "reasoning": ("honoured", "effort, max_tokens, exclude, enabled"),
    "include_reasoning": ("honoured", "false leaves the reasoning out of the answer"),
    "top_k": ("honoured", ""),
    "min_p": ("honoured", ""),
    "repetition_penalty": ("honoured", ""),
    "keep_alive": ("honoured", ""),
}

# Values of refused fields that have no effect, so they are accepted. An empty `web_search_options` requests a
# search.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logit_bias": ({},),
}
