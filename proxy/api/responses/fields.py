"""What the server does with each field of a Responses request.

OpenAI's fields come first (SDK, `types/responses/response_create_params.py`), then those that other clients
send. The documentation's table is generated from this one.
"""

from __future__ import annotations

from ...http.body_model import Decision

FIELDS: dict[str, tuple[Decision, str]] = {
    "input": (
        "honoured",
        "text, or items of any type with text in them; text stands for images, audio and files of the "
        "history; the newest message may have none",
    ),
    "model": ("honoured", ""),
    "access_programs": ("no effect", ""),
    "background": ("honoured", "not with `store` set to false"),
    "background_options": ("no effect", "the response starts as soon as the engine is free"),
    "context_management": ("no effect", "to compact a conversation, use `/v1/responses/compact`"),
    "conversation": ("honoured", "not together with `previous_response_id`"),
    "image": ("no effect", "there are no images"),
    "include": ("honoured", "`reasoning.encrypted_content`, `message.output_text.logprobs`"),
    "instructions": ("honoured", "for this response only"),
    "max_output_tokens": ("honoured", "includes reasoning tokens"),
    "max_tool_calls": ("no effect", "it limits calls of hosted tools, and there are none"),
    "metadata": ("honoured", "stored with the turn"),
    "moderation": ("refused", "there is no moderation model"),
    "parallel_tool_calls": ("honoured", "false: at most one call"),
    "previous_response_id": ("honoured", "any turn in the log"),
    "prompt": ("refused", "there are no stored prompts"),
    "prompt_cache_key": ("no effect", "the engine caches by prefix"),
    "prompt_cache_options": ("no effect", "the engine caches by prefix"),
    "prompt_cache_retention": ("no effect", "the engine caches by prefix"),
    "reasoning": (
        "honoured",
        "effort; summary, which contains the whole reasoning; and max_tokens, which is not OpenAI's",
    ),
    "safety_identifier": ("no effect", ""),
    "service_tier": ("no effect", "there is only one tier"),
    "store": ("honoured", "true by default"),
    "stream": ("honoured", ""),
    "stream_options": ("no effect", "there is no obfuscation"),
    "temperature": ("honoured", ""),
    "text": (
        "honoured",
        "all formats, json_schema always strictly; verbosity as an instruction to the model",
    ),
    "tool_choice": ("honoured", "enforced, including allowed_tools; hosted tools are refused"),
    "tools": (
        "honoured",
        "function, custom and namespace; the model is not offered hosted tools, which are left out",
    ),
    "top_logprobs": ("honoured", "up to 20"),
    "top_p": ("honoured", ""),
    "truncation": ("honoured", "auto drops whole turns, oldest first; disabled is the default"),
    "user": ("no effect", ""),
    # Not OpenAI's.
    "client_metadata": ("no effect", "Codex sends it"),
    "frequency_penalty": ("honoured", ""),
    "keep_alive": ("honoured", ""),
    "min_p": ("honoured", ""),
    "presence_penalty": ("honoured", ""),
    "repetition_penalty": ("honoured", ""),
    "seed": ("honoured", ""),
    "stop": ("honoured", "up to 4 strings; they end the answer, not the reasoning"),
    "top_k": ("honoured", ""),
}
