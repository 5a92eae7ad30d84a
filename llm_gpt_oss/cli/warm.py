"`llm gpt-oss warm`"

from __future__ import annotations

import click

from ..engines.http.client import Client
from ..engines.ollama.requests import load
from ..setup.model import find_running
from .target import connect, ollama_tag
from .terminal import format_memory


def load_model(client: Client, tag: str) -> None:
    "Load the model into memory, and print how much memory it uses."
    click.echo(f"Loading {tag} into memory", err=True)
    client.send(load(tag))
    model = find_running(client, tag)
    used = f": {format_memory(model.size, model.size_vram)}" if model else ""
    click.echo(f"{tag} is loaded{used}.")


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
