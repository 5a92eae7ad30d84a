"""Every field of a chat request, decided on.

First those of OpenAI's SDK, `types/chat/completion_create_params.py`, then what clients of local models add.
"""

from __future__ import annotations

from typing import Any

from ...http.body_model import Decision

FIELDS: dict[str, tuple[Decision, str]] = {
    "messages": ("honoured", "all roles; text parts; images, audio and files are refused"),
    "model": ("honoured", ""),
    "audio": ("refused", "gpt-oss writes text only"),
    "frequency_penalty": ("honoured", ""),
    "function_call": ("refused", "send `tool_choice`"),
    "functions": ("refused", "send `tools`"),
    "logit_bias": ("refused", "Ollama has no such option"),
    "logprobs": ("honoured", "of the answer's tokens, not of the reasoning's"),
    "max_completion_tokens": ("honoured", "reasoning included"),
    "max_tokens": ("honoured", "as `max_completion_tokens`, which wins"),
    "metadata": ("honoured", "kept with the turn; what is stored is listed by it"),
    "modalities": ("honoured", "text only"),
    "moderation": ("refused", "there is no moderation model"),
    "n": ("honoured", "up to 16, one after the other; each choice has a seed of its own"),
    "parallel_tool_calls": ("honoured", "false: one call at most"),
    "prediction": ("no effect", "a hint for speed"),
    "presence_penalty": ("honoured", ""),
    "prompt_cache_key": ("no effect", "the engine caches by prefix"),
    "prompt_cache_options": ("no effect", "the engine caches by prefix"),
    "prompt_cache_retention": ("no effect", "the engine caches by prefix"),
    "reasoning_effort": ("honoured", "none to max"),
    "response_format": ("honoured", "text, json_object, json_schema, which is always strict"),
    "safety_identifier": ("no effect", ""),
    "seed": ("honoured", ""),
    "service_tier": ("no effect", "there is one"),
    "stop": ("honoured", "up to 4; the answer is searched, the reasoning is not"),
    "store": ("honoured", "true: listed, and answered again, by `GET /v1/chat/completions`"),
    "stream": ("honoured", ""),
    "stream_options": ("honoured", "include_usage"),
    "temperature": ("honoured", ""),
    "tool_choice": ("honoured", "enforced, allowed_tools too"),
    "tools": ("honoured", "function and custom; a grammar is shown, not enforced"),
    "top_logprobs": ("honoured", "up to 20"),
    "top_p": ("honoured", ""),
    "user": ("no effect", ""),
    "verbosity": ("honoured", "as an instruction"),
    "web_search_options": ("refused", "there is no web search"),
    # Not OpenAI's.
    "reasoning": ("honoured", "effort, max_tokens, exclude, enabled"),
    "include_reasoning": ("honoured", "false leaves the reasoning out of the answer"),
    "top_k": ("honoured", ""),
    "min_p": ("honoured", ""),
    "repetition_penalty": ("honoured", ""),
    "keep_alive": ("honoured", ""),
}

# What asks for nothing, besides null. An empty `web_search_options` does ask for a search.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logit_bias": ({},),
}
