"`llm gpt-oss unload`"

from __future__ import annotations

import click

from ..engines.ollama.model_status import find_running
from ..engines.ollama.requests import ps, unload
from .running_models import other_models, other_name
from .target import connect, ollama_tag


@click.command(name="unload")
@click.argument("name", metavar="[TAG]", required=False)
def command(name: str | None) -> None:
    """
    Free the memory that a model uses

    The default for TAG is the model of `llm -m gpt-oss`.
    """
    tag = ollama_tag(name)
    with connect() as client:
        running = client.send(ps())
        model = find_running(client, tag, running)
        client.send(unload(tag))
    click.echo(f"{tag} is unloaded.{other_name(tag, model)}" if model else f"{tag} was not loaded.")
    for line in other_models(running, model):
        click.echo(line)
