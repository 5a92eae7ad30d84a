"""What the server does with each field of a chat request.

OpenAI's fields come first (SDK, `types/chat/completion_create_params.py`), then those that clients of local
models send. The documentation's table is generated from this one.
"""

from __future__ import annotations

from ...http.field_table import FieldTable, honoured, no_effect, refused, translated
from ..extensions import EMPTY, REFUSED, extension_fields, format_fields, reasoning_fields
from .from_responses import chat_format, chat_messages, chat_tool_choice, chat_tools

USE_RESPONSES = "send all messages, or use `/v1/responses`"


def include_reasoning(reasoning_format: object) -> bool | None:
    "The other formats of Groq and llama.cpp differ only in where the reasoning is."
    return False if reasoning_format == "hidden" else None


OPENAI_FIELDS = {
    "messages": honoured(
        "all roles; text stands for images, audio and files of the history; the newest may have none"
    ),
    "model": honoured(),
    "audio": REFUSED["audio"],
    "frequency_penalty": honoured(),
    "function_call": translated("tool_choice", chat_tool_choice),
    "functions": honoured("the older form of `tools`, which win; the answer has a `function_call`"),
    "logit_bias": REFUSED["logit_bias"],
    "logprobs": honoured("for the answer's tokens, not for the reasoning's"),
    "max_completion_tokens": honoured("includes reasoning tokens"),
    "max_tokens": honoured("the older name of `max_completion_tokens`, which takes precedence"),
    "metadata": honoured("stored with the turn; you can list stored completions by it"),
    "modalities": honoured("text only"),
    "moderation": refused("there is no moderation model"),
    "n": honoured("up to 16, generated one after the other, each with its own seed"),
    "parallel_tool_calls": honoured("false: at most one call"),
    "prediction": no_effect("only a hint for speed"),
    "presence_penalty": honoured(),
    "prompt_cache_key": no_effect("the engine caches by prefix"),
    "prompt_cache_options": no_effect("the engine caches by prefix"),
    "prompt_cache_retention": no_effect("the engine caches by prefix"),
    "reasoning_effort": honoured("none to max"),
    "response_format": honoured(
        "text; json_object, also with a `schema`; and json_schema, which is always strict", chat_format
    ),
    "safety_identifier": no_effect(),
    "seed": honoured(),
    "service_tier": no_effect("there is only one tier"),
    "stop": honoured("they end the answer, not the reasoning"),
    "store": honoured("true: `GET /v1/chat/completions` lists and returns the completion"),
    "stream": honoured(),
    "stream_options": honoured("include_usage"),
    "temperature": honoured(),
    "tool_choice": honoured("enforced, including allowed_tools", chat_tool_choice),
    "tools": honoured("function and custom; the model sees a grammar, but it is not enforced", chat_tools),
    "top_logprobs": honoured("up to 20"),
    "top_p": honoured(),
    "user": no_effect(),
    "verbosity": honoured("as an instruction to the model"),
    "web_search_options": REFUSED["web_search_options"],
}
# Fields of clients of local models.
OTHER_FIELDS = {
    "reasoning": honoured("effort, max_tokens, exclude"),
    "reasoning.generate_summary": no_effect("the answer has the whole reasoning"),
    "reasoning.summary": no_effect("the answer has the whole reasoning"),
    "include_reasoning": honoured("false leaves the reasoning out of the answer"),
    "reasoning_format": translated("include_reasoning", include_reasoning, "hidden: false"),
    "instructions": honoured("as a system message before the others"),
    "truncation": honoured("auto drops whole turns, oldest first; disabled is the default"),
    "top_k": honoured(),
    "min_p": honoured(),
    "repetition_penalty": honoured(),
    "keep_alive": honoured(),
    "num_ctx": honoured("with `--allow-load-options`: a change makes Ollama load the model again"),
    "tools.strict": no_effect("arguments are always validated"),
    "best_of": refused("send `n` to get several answers", 1),
    "conversation": refused(USE_RESPONSES, *EMPTY),
    "echo": refused("only `/v1/completions` repeats the prompt", False),
    "previous_response_id": refused(USE_RESPONSES, *EMPTY),
    "suffix": refused("only `/v1/completions` has it", *EMPTY),
}
FIELDS = FieldTable(
    {
        **OPENAI_FIELDS,
        **OTHER_FIELDS,
        "input": translated("messages", chat_messages),
        "max_output_tokens": translated("max_tokens"),
        "system": translated("instructions"),
        "text.format": translated("response_format", chat_format),
        "text.verbosity": translated("verbosity"),
        **format_fields("response_format", lambda form: form),
        **reasoning_fields(),
        **extension_fields(effort="reasoning.effort", max_tokens="max_tokens"),
    }
)
