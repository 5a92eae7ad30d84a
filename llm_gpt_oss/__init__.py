"""LLM plugin for OpenAI's gpt-oss models, on Ollama and other engines."""

from __future__ import annotations

from collections.abc import Callable

import click
import llm
from llm.models import ModelWithAliases


# Last, so that llm runs this plugin's model if another plugin has one called gpt-oss:20b too.
@llm.hookimpl(trylast=True)
def register_models(register: Callable[..., None], model_aliases: list[ModelWithAliases]) -> None:
    from .catalog.models_file import models_to_register
    from .models import AsyncGptOss, GptOss
    from .settings import Settings

    settings = Settings.from_env()
    for tag, aliases, binding in models_to_register(settings.model, model_aliases):
        models = GptOss(tag, settings, binding=binding), AsyncGptOss(tag, settings, binding=binding)
        register(*models, aliases=aliases)


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    from .cli import gpt_oss
    from .llm_commands import wrap_commands

    cli.add_command(gpt_oss)
    wrap_commands(cli)
