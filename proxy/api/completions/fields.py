"""What the server does with each field of a completion request.

OpenAI's fields come first (SDK, `types/completion_create_params.py`), then those that clients of local models
send.
"""

from __future__ import annotations

from typing import Any

from ...http.body_model import Decision

FIELDS: dict[str, tuple[Decision, str]] = {
    "model": ("honoured", ""),
    "prompt": ("honoured", "one text or several, each as a user message; token ids are refused"),
    "best_of": ("honoured", "only if it equals `n`"),
    "echo": ("honoured", "not together with `logprobs`"),
    "frequency_penalty": ("honoured", ""),
    "logit_bias": ("refused", "Ollama has no such option"),
    "logprobs": ("honoured", "up to 5 alternatives for each token"),
    "max_tokens": ("honoured", "16 by default, as in OpenAI's API"),
    "n": ("honoured", "up to 16, generated one after the other"),
    "presence_penalty": ("honoured", ""),
    "seed": ("honoured", "each choice has its own, derived from this one"),
    "stop": ("honoured", "up to 4 strings"),
    "stream": ("honoured", ""),
    "stream_options": ("honoured", "include_usage"),
    "suffix": ("honoured", "as an instruction to the model"),
    "temperature": ("honoured", ""),
    "top_p": ("honoured", ""),
    "user": ("no effect", ""),
    # Not OpenAI's.
    "keep_alive": ("honoured", ""),
    "min_p": ("honoured", ""),
    "reasoning_effort": ("honoured", "none by default; reasoning is not returned, but counts as tokens"),
    "repetition_penalty": ("honoured", ""),
    "top_k": ("honoured", ""),
}

# Values of refused fields that have no effect, so they are accepted.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {"logit_bias": ({},)}
