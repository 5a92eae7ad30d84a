"""Context length and keep-alive of a model, from the completion, the model's options or the default."""

from __future__ import annotations

import re

from ...catalog.binding import BoundModel
from ...completion import Completion

# Tokens: a context for which most machines have memory.
DEFAULT_CONTEXT = 16_384
# Seconds that a model stays in memory after its last answer, as with Ollama.
DEFAULT_KEEP_ALIVE = 300.0
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def context_length(model: BoundModel, num_ctx: int | None, trained: int) -> int:
    """Return the context length in tokens, but no more than `trained`.

    `num_ctx` is the option of the prompt, None if it has none. `trained` is the context length that the model
    was trained for, 0 if it is unknown.
    """
    length = num_ctx or model.engine_options.get("context") or DEFAULT_CONTEXT
    return min(int(length), trained) if trained else int(length)


def keep_alive(model: BoundModel, completion: Completion) -> float:
    "Return the seconds that the model stays in memory after the completion. A negative number means forever."
    if completion.keep_alive is not None:
        return keep_alive_seconds(completion.keep_alive)
    return keep_alive_seconds(model.engine_options.get("keep_alive", DEFAULT_KEEP_ALIVE))


def keep_alive_seconds(duration: str | int | float) -> float:
    "Convert a duration to seconds. A string has units, as Ollama writes them: `10m`, `1h30m`."
    if not isinstance(duration, str):
        return duration
    parts = re.split(r"(ns|us|µs|ms|s|m|h)", duration.removeprefix("-"))
    counts, units = parts[:-1:2], parts[1::2]
    seconds = sum(float(count) * UNITS[unit] for count, unit in zip(counts, units, strict=True))
    return -seconds if duration.startswith("-") else seconds
