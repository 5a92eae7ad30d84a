"`llm gpt-oss warm`"

from __future__ import annotations

import click

from ..engines.http.client import Client
from ..engines.ollama.model_status import find_running
from ..engines.ollama.requests import load, ps
from .running_models import describe, other_models, other_name
from .target import connect, ollama_tag


def load_model(client: Client, tag: str) -> None:
    "Load the model into memory, and print what is in memory then."
    click.echo(f"Loading {tag} into memory", err=True)
    client.send(load(tag))
    running = client.send(ps())
    model = find_running(client, tag, running)
    details = f": {describe(model)}.{other_name(tag, model)}" if model else "."
    click.echo(f"{tag} is loaded{details}")
    for line in other_models(running, model):
        click.echo(line)


@click.command(name="warm")
@click.argument("name", metavar="[TAG]", required=False)
def command(name: str | None) -> None:
    """
    Load a model into memory, so that the next prompt starts immediately

    The default for TAG is the model of `llm -m gpt-oss`.
    """
    tag = ollama_tag(name)
    with connect() as client:
        load_model(client, tag)
