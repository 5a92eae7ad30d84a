"""What the server does with each field of a Responses request.

OpenAI's fields come first (SDK, `types/responses/response_create_params.py`), then those that other clients
send. The documentation's table is generated from this one.
"""

from __future__ import annotations

from ...http.field_table import FieldTable, honoured, no_effect, refused, translated
from ..extensions import EMPTY, extension_fields, format_fields, reasoning_fields
from .from_chat import (
    functions_as_tools,
    response_items,
    responses_format,
    responses_tool_choice,
    responses_tools,
)

ONE_ANSWER = "a response is one answer"
ONLY_COMPLETIONS = "only `/v1/completions` has it"
OPENAI_FIELDS = {
    "input": honoured(
        "text, or items of any type with text in them; text stands for images, audio and files of the "
        "history; the newest message may have none; messages in the form of chat completions too",
        response_items,
    ),
    "model": honoured(),
    "access_programs": no_effect(),
    "background": honoured("not with `store` set to false"),
    "background_options": no_effect("the response starts as soon as the engine is free"),
    "context_management": no_effect("to compact a conversation, use `/v1/responses/compact`"),
    "conversation": honoured("not together with `previous_response_id`"),
    "image": no_effect("there are no images"),
    "include": honoured("`reasoning.encrypted_content`, `message.output_text.logprobs`"),
    "instructions": honoured("for this response only"),
    "max_output_tokens": honoured("includes reasoning tokens"),
    "max_tool_calls": no_effect("it limits calls of hosted tools, and there are none"),
    "metadata": honoured("stored with the turn"),
    "moderation": refused("there is no moderation model"),
    "parallel_tool_calls": honoured("false: at most one call"),
    "previous_response_id": honoured("any turn in the log"),
    "prompt": refused("there are no stored prompts"),
    "prompt_cache_key": no_effect("the engine caches by prefix"),
    "prompt_cache_options": no_effect("the engine caches by prefix"),
    "prompt_cache_retention": no_effect("the engine caches by prefix"),
    "reasoning": honoured(
        "effort; summary, which contains the whole reasoning; and max_tokens, which is not OpenAI's",
    ),
    "safety_identifier": no_effect(),
    "service_tier": no_effect("there is only one tier"),
    "store": honoured("true by default"),
    "stream": honoured(),
    "stream_options": no_effect("there is no obfuscation"),
    "temperature": honoured(),
    "text": honoured(
        "all formats, json_schema always strictly; verbosity as an instruction to the model",
    ),
    "text.format": honoured("", responses_format),
    "tool_choice": honoured(
        "enforced, including allowed_tools; hosted tools are refused", responses_tool_choice
    ),
    "tools": honoured(
        "function, custom and namespace; the model is not offered hosted tools, which are left out",
        responses_tools,
    ),
    "top_logprobs": honoured("up to 20"),
    "top_p": honoured(),
    "truncation": honoured("auto drops whole turns, oldest first; disabled is the default"),
    "user": no_effect(),
}
# Fields of other clients.
OTHER_FIELDS = {
    "frequency_penalty": honoured(),
    "keep_alive": honoured(),
    "min_p": honoured(),
    "num_ctx": honoured("with `--allow-load-options`: a change makes Ollama load the model again"),
    "presence_penalty": honoured(),
    "repetition_penalty": honoured(),
    "seed": honoured(),
    "stop": honoured("they end the answer, not the reasoning"),
    "top_k": honoured(),
    "best_of": refused(ONE_ANSWER, 1),
    "echo": refused(ONLY_COMPLETIONS, False),
    "logprobs": refused("send `message.output_text.logprobs` in `include`", False),
    "modalities": refused("gpt-oss writes text only", [], ["text"]),
    "n": refused(ONE_ANSWER, 1),
    "suffix": refused(ONLY_COMPLETIONS, *EMPTY),
}
FIELDS = FieldTable(
    {
        **OPENAI_FIELDS,
        **OTHER_FIELDS,
        "functions": translated("tools", functions_as_tools),
        "function_call": translated("tool_choice", responses_tool_choice),
        "max_completion_tokens": translated("max_output_tokens"),
        "max_tokens": translated("max_output_tokens"),
        "messages": translated("input", response_items),
        "reasoning_effort": translated("reasoning.effort"),
        "response_format": translated("text.format", responses_format),
        "system": translated("instructions"),
        "verbosity": translated("text.verbosity"),
        **format_fields("text.format", responses_format),
        **reasoning_fields(),
        **extension_fields(effort="reasoning.effort", max_tokens="max_output_tokens"),
    }
)
