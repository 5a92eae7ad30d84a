"`llm gpt-oss warm`"

from __future__ import annotations

import click

from ..engines.http.client import Client
from ..engines.ollama.requests import load
from ..setup.model import find_running
from .target import connect, ollama_tag
from .terminal import memory


def warm(client: Client, wanted: str) -> None:
    "Load the model, and say what that took."
    click.echo(f"Loading {wanted} into memory", err=True)
    client.send(load(wanted))
    running = find_running(client, wanted)
    took = f": {memory(running.size, running.size_vram)}" if running else ""
    click.echo(f"{wanted} is in memory{took}.")


@click.command(name="warm")
@click.argument("name", metavar="[TAG]", required=False)
def command(name: str | None) -> None:
    """
    Load a model into memory, so that the next prompt starts at once

    Without TAG: the model that `llm -m gpt-oss` runs.
    """
    wanted = ollama_tag(name)
    with connect() as client:
        warm(client, wanted)
