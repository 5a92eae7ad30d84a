"""What the server does with each field of a Messages request.

The fields are those of Anthropic's SDK (`types/beta/message_create_params.py`), then those that only older
versions of it have.
"""

from __future__ import annotations

from ...http.field_table import FieldTable, honoured, no_effect, refused

FIELDS = FieldTable(
    {
        "messages": honoured(
            "texts, thinking, tool calls and results; earlier images and files become a placeholder",
        ),
        "model": honoured(),
        "max_tokens": honoured("includes thinking; unlimited by default"),
        "billing_policy": no_effect(),
        "cache_control": no_effect("here and in all blocks: the engine caches by prefix"),
        "compaction": refused("ask for a summary in a message"),
        "container": refused("this server runs no code"),
        "context_management": no_effect("nothing is removed from the conversation"),
        "diagnostics": no_effect(),
        "fallback_credit_token": no_effect(),
        "fallbacks": no_effect(),
        "inference_geo": no_effect(),
        "mcp_servers": refused("your client has to call MCP tools; send them in `tools`", []),
        "metadata": no_effect("it is logged with the request"),
        "output_config": honoured("effort; format, which always constrains the answer"),
        "service_tier": no_effect("there is only one tier"),
        "speed": no_effect(),
        "stop_sequences": honoured("they end the answer, not the thinking; `stop_reason` is end_turn then"),
        "stream": honoured(),
        "system": honoured("a text or text blocks"),
        "thinking": honoured("type, budget_tokens, display; without it, the model thinks a little, unseen"),
        "thread": refused("send the whole conversation in `messages`"),
        "tool_choice": honoured("enforced; disable_parallel_tool_use: at most one call"),
        "tools": honoured("tools with an `input_schema`; those that Anthropic defines are left out"),
        # Older.
        "output_format": honoured("the older name of `output_config.format`, which takes precedence"),
        "temperature": honoured("up to 2"),
        "top_k": honoured(),
        "top_p": honoured(),
    }
)
