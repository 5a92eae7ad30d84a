"`llm gpt-oss pull`"

from __future__ import annotations

import click

from ..setup.model import fetch
from .target import connect, ollama_tag
from .terminal import ProgressLine


@click.command(name="pull")
@click.argument("name", metavar="[TAG]", required=False)
@click.option("--insecure", is_flag=True, help="Allow a registry of your own that has no TLS")
def command(name: str | None, insecure: bool) -> None:
    """
    Download a model, going on where an earlier pull was stopped

    Without TAG: the model that `llm -m gpt-oss` runs.
    """
    wanted = ollama_tag(name)
    with connect() as client, ProgressLine() as report:
        fetch(client, wanted, report, insecure=insecure)
    click.echo(f"{wanted} is here.")
