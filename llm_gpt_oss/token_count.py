"""How many tokens a prompt has, counted by the model itself."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

import llm

from .completion import AsyncEngine, Done
from .errors import EngineError
from .models import AsyncGptOss


async def count_prompt_tokens(model: AsyncGptOss, prompt: llm.Prompt, engine: AsyncEngine) -> int:
    """Of the text that `prompt` would be asked with. The engine reads all of it, and keeps it for the answer.

    Raises GptOssError; BadRequest for what cannot be had.
    """
    plan, _ = model.start_turn(prompt, stream=False)
    first = plan.next_completion()
    if first is None:  # no tokens are left for any answer: nothing would be asked
        return 0
    only_read = replace(first, max_tokens=1, format=None, stop=(), top_logprobs=None)
    async with aclosing(engine.complete(only_read)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Done) and piece.prompt_tokens is not None:
                return piece.prompt_tokens
    raise EngineError("The engine does not say how many tokens the prompt has.")
