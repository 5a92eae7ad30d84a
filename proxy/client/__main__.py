"""`python -m proxy.client`: a conversation in the terminal, or one answer in a pipe"""

from __future__ import annotations

import sys

import click

from llm_gpt_oss.standard_output import any_output

from .client import MODEL, URL, Client
from .conversation import Conversation, hold


def _warn_of_key(ctx: click.Context, param: click.Parameter, key: str | None) -> str | None:
    if ctx.get_parameter_source("key") == click.core.ParameterSource.COMMANDLINE:
        click.echo(
            "Warning: other users of this machine can see --key in its list of processes. Set OPENAI_API_KEY "
            "instead.",
            err=True,
        )
    return key


@click.command()
@click.argument("prompt", nargs=-1)
@click.option("--url", envvar="OPENAI_BASE_URL", default=URL, show_default=True, help="Address of the server")
@click.option(
    "--key",
    envvar="OPENAI_API_KEY",
    show_envvar=True,
    callback=_warn_of_key,
    help="API key of the server, which others can see if you type it here",
)
@click.option("-m", "--model", default=MODEL, show_default=True, help="Name of the model")
@click.option("-s", "--system", help="Instructions for the model")
@click.option("--effort", metavar="EFFORT", help="Reasoning effort: none, low, medium or high")
@click.option("-r", "--reasoning", is_flag=True, help="Show the reasoning, on standard error")
@click.option("json_", "--json", is_flag=True, help="Output each answer as a line of JSON")
def command(
    prompt: tuple[str, ...],
    url: str,
    key: str | None,
    model: str,
    system: str | None,
    effort: str | None,
    reasoning: bool,
    json_: bool,
) -> None:
    """
    Ask a model of `llm gpt-oss serve`

    With a PROMPT, or with text on standard input, it prints one answer. Otherwise it holds a conversation.

    \b
        OPENAI_API_KEY=KEY python -m proxy.client --url http://box:8000
        python -m proxy.client "Summarize this" < notes.txt > summary.txt
    """
    with any_output(), Client(url, key, model=model) as client:
        fields = {"reasoning_effort": effort} if effort else {}
        conversation = Conversation(client, system, fields, shows_reasoning=reasoning, prints_json=json_)
        is_interactive = sys.stdin.isatty()
        text = "\n".join(filter(None, [" ".join(prompt), "" if is_interactive else sys.stdin.read().strip()]))
        if text:
            conversation.send(text)
        elif is_interactive:
            hold(conversation, lambda: input("> "))
        else:
            raise click.UsageError("There is no prompt: type one, or pipe text into this command.")


if __name__ == "__main__":
    command(prog_name="python -m proxy.client")
