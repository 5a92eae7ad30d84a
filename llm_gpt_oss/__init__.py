"""OpenAI's gpt-oss for LLM, on Ollama or another engine."""

from __future__ import annotations

from collections.abc import Callable

import click
import llm
from llm.models import ModelWithAliases


# Last, so that of two plugins with a model called gpt-oss:20b it is this one's that llm runs.
@llm.hookimpl(trylast=True)
def register_models(register: Callable[..., None], model_aliases: list[ModelWithAliases]) -> None:
    from .catalog.models_file import models_to_register
    from .models import AsyncGptOss, GptOss
    from .settings import Settings

    settings = Settings.from_env()
    for tag, aliases, place in models_to_register(settings.model, model_aliases):
        ours = GptOss(tag, settings, place=place), AsyncGptOss(tag, settings, place=place)
        register(*ours, aliases=aliases)


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    from .cli import gpt_oss

    cli.add_command(gpt_oss)
