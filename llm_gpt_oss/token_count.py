"""Counts the tokens of a prompt with the model's own tokenizer, in the engine."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

import llm

from .completion import AsyncEngine, Done
from .errors import EngineError
from .models import AsyncGptOss


async def count_prompt_tokens(model: AsyncGptOss, prompt: llm.Prompt, engine: AsyncEngine) -> int:
    """Return the number of tokens of the text that `prompt` becomes.

    The engine evaluates the whole text, and keeps it in its cache for the answer. Raises GptOssError, or
    BadRequest for a prompt that cannot be sent.
    """
    first = await model.call(lambda: model.start_turn(prompt, stream=False)[0].next_completion())
    if first is None:  # the options leave no tokens for an answer, so nothing would be sent
        return 0
    read_only = replace(first, max_tokens=1, format=None, stop=(), top_logprobs=None)
    async with aclosing(engine.complete(read_only)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Done) and piece.prompt_tokens is not None:
                return piece.prompt_tokens
    raise EngineError("The engine does not report how many tokens the prompt has.")
