"""What the server does with each field of a completion request.

OpenAI's fields come first (SDK, `types/completion_create_params.py`), then those that clients of local models
send.
"""

from __future__ import annotations

from ...http.field_table import FieldTable, honoured, no_effect, refused, translated
from ..extensions import EMPTY, REFUSED, extension_fields
from ..shared_fields import INT32

USE_CHAT = "only `/v1/chat/completions` has it"


def unlimited(max_tokens: object) -> object:
    "Return the highest limit for the values that stand for none: no value stands for OpenAI's default."
    return INT32 if max_tokens in (0, -1) and not isinstance(max_tokens, bool) else max_tokens


OPENAI_FIELDS = {
    "model": honoured(),
    "prompt": honoured("one text or several, each as a user message; token ids are refused"),
    "best_of": honoured("only if it equals `n`"),
    "echo": honoured("not together with `logprobs`"),
    "frequency_penalty": honoured(),
    "logit_bias": REFUSED["logit_bias"],
    "logprobs": honoured("up to 5 alternatives for each token"),
    "max_tokens": honoured("16 by default, as in OpenAI's API; 0 and -1 for no limit", unlimited),
    "n": honoured("up to 16, generated one after the other"),
    "presence_penalty": honoured(),
    "seed": honoured("each choice has its own, derived from this one"),
    "stop": honoured(),
    "stream": honoured(),
    "stream_options": honoured("include_usage"),
    "suffix": honoured("as an instruction to the model"),
    "temperature": honoured(),
    "top_p": honoured(),
    "user": no_effect(),
}
# Fields of clients of local models.
OTHER_FIELDS = {
    "keep_alive": honoured(),
    "min_p": honoured(),
    "num_ctx": honoured("with `--allow-load-options`: a change makes Ollama load the model again"),
    "reasoning_effort": honoured("none by default; reasoning is not returned, but counts as tokens"),
    "repetition_penalty": honoured(),
    "top_k": honoured(),
}
# Without these, an answer would be another one.
CHAT_ONLY = ("format", "functions", "instructions", "json_schema", "messages", "system", "tools")
FIELDS = FieldTable(
    {
        **OPENAI_FIELDS,
        **OTHER_FIELDS,
        "max_completion_tokens": translated("max_tokens"),
        "reasoning.effort": translated("reasoning_effort"),
        **extension_fields(effort="reasoning_effort", max_tokens="max_tokens"),
        **{name: refused(USE_CHAT, *EMPTY) for name in CHAT_ONLY},
        "response_format": refused(USE_CHAT, {}, {"type": "text"}),
    }
)
