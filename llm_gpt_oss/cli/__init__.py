"The `llm gpt-oss` commands, each imported when it is used: LLM imports this module for every prompt."

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

# Command name to the module that defines it as `command`.
COMMANDS = {
    "bench": "llm_gpt_oss.cli.bench",
    "explore": "proxy.cli.explore",
    "keys": "proxy.cli.keys",
    "logs": "proxy.cli.logs",
    "models": "llm_gpt_oss.cli.models",
    "prompt": "llm_gpt_oss.cli.prompt",
    "pull": "llm_gpt_oss.cli.pull",
    "serve": "proxy.cli.serve",
    "setup": "llm_gpt_oss.cli.setup",
    "stats": "llm_gpt_oss.cli.stats",
    "status": "llm_gpt_oss.cli.status",
    "unload": "llm_gpt_oss.cli.unload",
    "warm": "llm_gpt_oss.cli.warm",
}
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended, by convention of shells


class CommandGroup(click.Group):
    "Imports commands on demand, answers Ctrl-C with one line, and ends quietly when nobody reads its output."

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        from ..standard_output import any_output

        try:
            with any_output():
                return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Stopped.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(name="gpt-oss", cls=CommandGroup)
def gpt_oss() -> None:
    "Commands for running gpt-oss on Ollama and other engines"
