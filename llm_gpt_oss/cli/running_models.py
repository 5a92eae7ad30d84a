"Says which models Ollama has in its memory."

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..catalog.tags import same_model
from ..engines.ollama.answers import RunningModel
from .terminal import format_memory, format_time


def describe(model: RunningModel) -> str:
    "Return `14.0 GB 50 % on the GPU, context of 8192 tokens, until 2026-11-23 05:09`."
    details = [format_memory(model.size, model.size_vram)]
    if model.context_length:
        details.append(f"context of {model.context_length} tokens")
    if model.expires_at:
        details.append(f"until {format_time(model.expires_at)}")
    return ", ".join(details)


def other_name(tag: str, model: RunningModel) -> str:
    "Return the sentence about the name that Ollama has for the model, if that is not its tag."
    if same_model(tag, model.name):
        return ""
    return f" Ollama calls it {model.name}, which is the same model."


def other_models(running: Sequence[RunningModel], model: RunningModel | None) -> Iterator[str]:
    "Yield a line for each model in memory except this one."
    for other in running:
        if other is not model:
            yield f"Also loaded: {other.name}, {describe(other)}."
