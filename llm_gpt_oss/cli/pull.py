"`llm gpt-oss pull`"

from __future__ import annotations

import click

from ..setup.model import pull_model
from .target import connect, ollama_tag
from .terminal import ProgressLine


@click.command(name="pull")
@click.argument("name", metavar="[TAG]", required=False)
@click.option("--insecure", is_flag=True, help="Allow a registry of your own that has no TLS")
def command(name: str | None, insecure: bool) -> None:
    """
    Download a model, resuming an earlier download

    The default for TAG is the model of `llm -m gpt-oss`.
    """
    tag = ollama_tag(name)
    with connect() as client, ProgressLine() as report:
        pull_model(client, tag, report, insecure=insecure)
    click.echo(f"{tag} is installed.")
