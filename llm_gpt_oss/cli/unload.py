"`llm gpt-oss unload`"

from __future__ import annotations

import click

from ..engines.ollama.requests import unload
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
        client.send(unload(tag))
    click.echo(f"{tag} is unloaded.")
