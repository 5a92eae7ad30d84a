"""The hook for plugins that add an engine.

A plugin is a module (or any object) with a function `register_engines`, marked `@hookimpl`, found by the
entry point group `llm_gpt_oss`:

    [project.entry-points.llm_gpt_oss]
    my-engine = "my_package.engine"

The engines that come with llm-gpt-oss are registered by the same hook (`engines.builtin`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pluggy

from ..catalog.binding import BoundModel
from ..completion import AsyncEngine, Engine
from ..settings import Settings

GROUP = "llm_gpt_oss"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What a prompt to a model would find. `address` is a server or a file, `version` is None where nothing
    answers, `problem` is why there would be no answer, and what to type."""

    address: str
    version: str | None = None
    installed: bool = False
    size: int | None = None
    loaded: bool = False
    context_length: int | None = None
    memory: int | None = None
    memory_on_gpu: int | None = None
    expires_at: str | None = None
    problem: str | None = None


class EngineProvider(Protocol):
    """A kind of engine. To make one costs nothing: no import of what it runs on, no connection, no file.

    `name` is what people type: LLM_GPT_OSS_ENGINE, `--engine`, and `engine` in the file of models.
    """

    @property
    def name(self) -> str: ...

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        "An engine for this model. Raises GptOssError where what `model` says cannot be used."

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        "The same for async code. It may stay open as long as the program runs, for many completions at once."

    def check(self, model: BoundModel) -> None:
        "Raises GptOssError for what can be seen to be wrong without asking anybody, before a model is added."

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        """A line for `llm gpt-oss status`: whether it is here, and where. `models` are those that are bound
        to it."""

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        "How it is with this model. What stands in the way of an answer is part of it, not an error."


class EngineHookSpecs:
    "What a plugin can implement."

    @hookspec
    def register_engines(self, register: Callable[[EngineProvider], None]) -> None:
        """Calls `register` with each kind of engine. Of two under one name the first has it, and ours are
        first."""
