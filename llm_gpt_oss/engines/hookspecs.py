"""The plugin hook that adds an engine.

A plugin is a module (or any object) with a function `register_engines`, marked `@hookimpl`. An entry point of
the group `llm_gpt_oss` names the module:

    [project.entry-points.llm_gpt_oss]
    my-engine = "my_package.engine"

`engines.builtin` registers the engines of llm-gpt-oss with the same hook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import click
import pluggy

from ..catalog.binding import BoundModel
from ..completion import AsyncEngine, Engine
from ..settings import Settings

GROUP = "llm_gpt_oss"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True, slots=True)
class EngineOption:
    """An option of `llm gpt-oss models add` that an engine takes.

    `flag` is what people type, such as `--gpu-layers`. The file of models stores the value under `key`, and
    the engine reads it from `BoundModel.engine_options`. Values are JSON values; with `multiple` they are
    lists. The value under the key "key" names a key of `llm keys`: `EngineProvider.open` receives that key.

    `selects_engine` marks the option that says where the model is. People who type it do not need `--engine`.
    An option that only one engine takes selects that engine too.

    Several engines can take the same flag. The first of them then decides everything but `key`.
    """

    flag: str
    key: str
    help: str
    metavar: str | None = None
    type: click.ParamType[Any] | Callable[[str], Any] = click.STRING
    multiple: bool = False
    selects_engine: bool = False


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Whether an engine can answer a prompt to a model.

    `address` is a URL or a file. `version` is the engine's version, None if the engine does not answer.
    `installed` and `loaded` describe the model. `size`, `memory` and `memory_on_gpu` are bytes. `expires_at`
    is the time at which the engine unloads the model, in ISO 8601. `problem` is an error message with its
    remedy, or None if a prompt would be answered.

    `context_length` is how many tokens a prompt and its answer can have together. With `fixed_context`, the
    option `num_ctx` does not change it. `trained_context` is the context length that the model was trained
    for, and `possible_context` the longest one that fits into this machine's memory. `parameters` and
    `vocabulary` count the model's weights and tokens, and `embedding_length` is the width of its layers. A
    number that the engine does not report is None.
    """

    address: str
    version: str | None = None
    installed: bool = False
    size: int | None = None
    loaded: bool = False
    context_length: int | None = None
    fixed_context: bool = False
    trained_context: int | None = None
    possible_context: int | None = None
    parameters: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None
    memory: int | None = None
    memory_on_gpu: int | None = None
    expires_at: str | None = None
    problem: str | None = None

    @property
    def missing(self) -> bool:
        "Whether the engine answers, and does not have the model."
        return self.version is not None and not self.installed

    def context_with(self, num_ctx: int | None) -> int | None:
        "Return the context length of a prompt with this option `num_ctx`, None if it is unknown."
        if num_ctx is None or self.fixed_context:
            return self.context_length
        return min(num_ctx, self.trained_context or num_ctx)


class EngineProvider(Protocol):
    """Opens one type of engine, and describes it.

    Many commands create providers without running an engine. Therefore a provider imports what its engine
    needs only inside its methods, and opens files and connections only there.

    `name` is what people type after `--engine`, and write in LLM_GPT_OSS_ENGINE and the file of models.
    `options` are the options of `llm gpt-oss models add` that this engine takes.
    """

    @property
    def name(self) -> str: ...

    @property
    def options(self) -> Sequence[EngineOption]: ...

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        "Open an engine for this model. Raise GptOssError if the model's options cannot be used."

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        "Like `open`, for async code. The engine may stay open for long, and runs completions concurrently."

    def check(self, model: BoundModel) -> None:
        "Raise GptOssError if the model cannot be added. Do not contact a server."

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        "One line for `llm gpt-oss status`: is the engine available, and where? `models` run on this engine."

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        "Describe the model. Return a GptOssError as `problem`; do not raise it."


class EngineHookSpecs:
    "The hooks that a plugin can implement."

    @hookspec
    def register_engines(self, register: Callable[[EngineProvider], None]) -> None:
        """Call `register` with each engine provider.

        If two providers have the same name, the first one is used. Built-in engines come first.
        """
