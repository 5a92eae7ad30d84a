"""The fields that other servers and libraries add to OpenAI's API, and what this server does with them.

They come from llama.cpp's server, Ollama, vLLM, SGLang, LiteLLM, OpenRouter, Groq, Mistral and Anthropic.
Endpoints add these rows to their own tables, with the names that they have for the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from ..http.field_table import FieldTable, RequestField, no_effect, refused, translated
from .shared_fields import Effort

# What an empty or disabled field holds.
EMPTY: tuple[Any, ...] = (False, "", [], {})

USE_FORMAT = "send `response_format` to `/v1/chat/completions`, or `text.format` to `/v1/responses`"
NO_TOKEN_LIMITS = "the engines cannot choose among tokens in this way"  # noqa: S105 (no secret)
NO_SEARCH = "there is no web search"
BY_PREFIX = "the engine caches by prefix"
BOOKKEEPING = "only for the program that sends it"
ONE_ENGINE = "each model has one engine"
# Fields that would change the answer, each with the reason why it is refused and the values that request
# nothing. Without a row they would be ignored.
REFUSED: Mapping[str, RequestField] = {
    "guided_json": refused(USE_FORMAT, *EMPTY),
    "guided_regex": refused(USE_FORMAT, *EMPTY),
    "guided_choice": refused(f"{USE_FORMAT}, with an `enum`", *EMPTY),
    "guided_grammar": refused(USE_FORMAT, *EMPTY),
    "structured_outputs": refused(USE_FORMAT, *EMPTY),
    "structural_tag": refused(USE_FORMAT, *EMPTY),
    "grammar": refused(USE_FORMAT, *EMPTY),
    "ebnf": refused(USE_FORMAT, *EMPTY),
    "regex": refused(USE_FORMAT, *EMPTY),
    "logit_bias": refused(NO_TOKEN_LIMITS, *EMPTY),
    "allowed_token_ids": refused(NO_TOKEN_LIMITS, *EMPTY),
    "bad_words": refused(NO_TOKEN_LIMITS, *EMPTY),
    "logits_processors": refused(NO_TOKEN_LIMITS, *EMPTY),
    "ignore_eos": refused(NO_TOKEN_LIMITS, *EMPTY),
    "min_tokens": refused(NO_TOKEN_LIMITS, 0),
    "stop_token_ids": refused("send `stop`", *EMPTY),
    "include_stop_str_in_output": refused("answers end before the stop string", *EMPTY),
    "use_beam_search": refused("answers are sampled", *EMPTY),
    "prompt_logprobs": refused("the engines return log probabilities for the answer only", 0, False),
    "chat_template": refused("prompts have the format harmony", *EMPTY),
    "documents": refused("send the texts in a message", *EMPTY),
    "enable_search": refused(NO_SEARCH, *EMPTY),
    "search_parameters": refused(NO_SEARCH, *EMPTY),
    "web_search_options": refused(NO_SEARCH),
    "audio": refused("gpt-oss writes text only"),
    "plugins": refused("there are no plugins that a request can choose", *EMPTY),
}
_NO_EFFECT: Mapping[str, tuple[str, ...]] = {
    BY_PREFIX: (
        *("cache_control", "cache_prompt", "cache_salt", "caching", "id_slot", "n_keep", "slot_id"),
        *("tools.cache_control", "tools.function.cache_control"),
    ),
    BOOKKEEPING: (
        *("chat_id", "client_metadata", "generation_name", "request_id", "session_id", "tags"),
        *("trace", "trace_id", "trace_metadata", "trace_name", "trace_user_id", "user_id"),
        *("litellm_call_id", "litellm_metadata", "litellm_session_id", "litellm_trace_id"),
    ),
    ONE_ENGINE: (
        *("api_base", "api_version", "custom_llm_provider", "drop_params", "fallbacks", "models"),
        *("num_retries", "priority", "provider", "route", "timeout"),
    ),
    "special tokens are never part of an answer": (
        *("detokenize", "skip_special_tokens", "spaces_between_special_tokens"),
    ),
    "the reasoning is never part of the text": (
        *("reasoning_split", "separate_reasoning", "stream_reasoning"),
    ),
    "the usage comes at the end of the answer": (
        *("return_progress", "stream_options.continuous_usage_stats", "timings_per_token"),
    ),
    "there is only one way to constrain an answer": ("guided_decoding_backend", "guided_whitespace_pattern"),
    "set when the engine starts": tuple(
        f"options.{name}"
        for name in (
            *("draft_num_predict", "f16_kv", "logits_all", "low_vram", "main_gpu", "num_batch", "num_gpu"),
            *("num_keep", "num_thread", "numa", "use_mlock", "use_mmap", "vocab_only"),
        )
    ),
}
NO_EFFECT: Mapping[str, RequestField] = {
    name: no_effect(note) for note, names in _NO_EFFECT.items() for name in names
}
# The sampling options that have the same name in Ollama's `options` as here.
SAME_OPTIONS = (
    *("temperature", "top_p", "top_k", "min_p", "seed", "stop", "num_ctx"),
    *("presence_penalty", "frequency_penalty"),
)


def extension_fields(*, effort: str, max_tokens: str) -> FieldTable:
    """The rows for all endpoints that generate text.

    `effort` and `max_tokens` are the endpoint's fields for the reasoning effort and the longest answer.
    """
    return FieldTable(
        {
            **REFUSED,
            **NO_EFFECT,
            "chat_template_kwargs.enable_thinking": translated(effort, effort_of_switch, "false: none"),
            "chat_template_kwargs.reasoning_effort": translated(effort),
            "chat_template_kwargs.thinking": translated(effort, effort_of_switch, "false: none"),
            "disable_reasoning": translated(effort, effort_of_disabled, "true: none"),
            "enable_thinking": translated(effort, effort_of_switch, "false: none"),
            "think": translated(effort, effort_of_think, "an effort; false: none"),
            "thinking.type": translated(effort, effort_of_type, "disabled: none"),
            "reasoning.enabled": translated(effort, effort_of_switch, "false: none"),
            "max_new_tokens": translated(max_tokens),
            "n_predict": translated(max_tokens, token_limit),
            "num_predict": translated(max_tokens, token_limit),
            "random_seed": translated("seed"),
            "repeat_penalty": translated("repetition_penalty"),
            "stop_sequences": translated("stop"),
            "usage.include": translated("stream_options.include_usage"),
            **{f"options.{name}": translated(name) for name in SAME_OPTIONS},
            "options.num_predict": translated(max_tokens, token_limit),
            "options.repeat_penalty": translated("repetition_penalty"),
        }
    )


def reasoning_fields() -> FieldTable:
    "The rows for endpoints that have `reasoning.max_tokens`."
    limits = ("thinking.budget_tokens", "thinking_budget", "thinking_budget_tokens", "reasoning_budget")
    return FieldTable({name: translated("reasoning.max_tokens", token_budget) for name in limits})


def format_fields(target: str, form: Callable[[Any], Any]) -> FieldTable:
    "The rows for endpoints whose answers can have a schema. `form` makes the `target` of one in chat's form."
    return FieldTable(
        {
            "format": translated(target, lambda value: form(format_of_ollama(value)), "json, or a schema"),
            "json_schema": translated(target, lambda value: form(format_of_schema(value)), "a schema"),
        }
    )


def effort_of_switch(value: Any) -> str | None:
    "True requests no particular effort."
    if not isinstance(value, bool):
        raise ValueError("it should be true or false")
    return None if value else "none"


def effort_of_disabled(value: Any) -> str | None:
    return effort_of_switch(not value if isinstance(value, bool) else value)


def effort_of_think(value: Any) -> str | None:
    if isinstance(value, bool):
        return effort_of_switch(value)
    if value in get_args(Effort):
        return str(value)
    raise ValueError(f"it should be true, false or one of {', '.join(get_args(Effort))}")


def effort_of_type(value: Any) -> str | None:
    if value in ("enabled", "adaptive", "auto"):
        return None
    if value == "disabled":
        return "none"
    raise ValueError("it should be enabled, adaptive or disabled")


def token_limit(value: Any) -> Any:
    "Ollama and llama.cpp have no limit for 0 and below."
    return None if _number(value) <= 0 else value


def token_budget(value: Any) -> Any:
    "There is no limit below 0, and 0 stands for no reasoning."
    return None if _number(value) < 0 else value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it should be a whole number")
    return value


def format_of_ollama(value: Any) -> Any:
    match value:
        case "":
            return None
        case "json":
            return {"type": "json_object"}
        case str():
            raise ValueError("it should be json, or a JSON schema")
        case _:
            return format_of_schema(value)


def format_of_schema(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("it should be a JSON schema")
    return {"type": "json_schema", "json_schema": {"schema": value}}
