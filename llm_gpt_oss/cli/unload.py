"`llm gpt-oss unload`"

from __future__ import annotations

import click

from ..engines.ollama.requests import unload
from .target import connect, ollama_tag


@click.command(name="unload")
@click.argument("name", metavar="[TAG]", required=False)
def command(name: str | None) -> None:
    """
    Give the memory back that a model takes

    Without TAG: the model that `llm -m gpt-oss` runs.
    """
    wanted = ollama_tag(name)
    with connect() as client:
        client.send(unload(wanted))
    click.echo(f"{wanted} is out of memory.")
