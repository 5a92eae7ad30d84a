"""Every field of a Responses request, decided on.

First those of OpenAI's SDK, `types/responses/response_create_params.py`, then what clients add.
"""

from __future__ import annotations

from ...http.body_model import Decision

FIELDS: dict[str, tuple[Decision, str]] = {
    "input": ("honoured", "text, or items of all kinds that hold text; images, audio and files are refused"),
    "model": ("honoured", ""),
    "access_programs": ("no effect", ""),
    "background": ("honoured", "not without `store`"),
    "background_options": ("no effect", "as soon as there is a place"),
    "context_management": ("no effect", "nothing is compacted unasked: send it to `/v1/responses/compact`"),
    "conversation": ("honoured", "not together with `previous_response_id`"),
    "image": ("no effect", "there are no images"),
    "include": ("honoured", "`reasoning.encrypted_content`, `message.output_text.logprobs`"),
    "instructions": ("honoured", "for this response alone"),
    "max_output_tokens": ("honoured", "reasoning included"),
    "max_tool_calls": ("no effect", "it counts calls of hosted tools, which there are none of"),
    "metadata": ("honoured", "kept with the turn"),
    "moderation": ("refused", "there is no moderation model"),
    "parallel_tool_calls": ("honoured", "false: one call at most"),
    "previous_response_id": ("honoured", "any turn of the log"),
    "prompt": ("refused", "there are no stored prompts"),
    "prompt_cache_key": ("no effect", "the engine caches by prefix"),
    "prompt_cache_options": ("no effect", "the engine caches by prefix"),
    "prompt_cache_retention": ("no effect", "the engine caches by prefix"),
    "reasoning": (
        "honoured",
        "effort; summary, which is the whole chain of thought; and max_tokens, which is not OpenAI's",
    ),
    "safety_identifier": ("no effect", ""),
    "service_tier": ("no effect", "there is one"),
    "store": ("honoured", "true without it"),
    "stream": ("honoured", ""),
    "stream_options": ("no effect", "there is no obfuscation"),
    "temperature": ("honoured", ""),
    "text": ("honoured", "all formats, json_schema is always strict; verbosity, as an instruction"),
    "tool_choice": ("honoured", "enforced, allowed_tools too; hosted tools are refused"),
    "tools": ("honoured", "function, custom, namespace; hosted ones are not offered to the model"),
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
    "stop": ("honoured", "up to 4; the answer is searched, the reasoning is not"),
    "top_k": ("honoured", ""),
}
