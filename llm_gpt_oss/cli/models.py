"`llm gpt-oss models`"

from __future__ import annotations

import json

import click
from llm.utils import dicts_to_table_string

from .. import registry
from ..settings import MODEL, Settings
from .target import check_free, known

HEADINGS = ["tag", "aliases", "from"]


@click.group(name="models")
def command() -> None:
    "Which tags are models of llm: list them, add your own, remove them"


@command.command(name="list")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
def list_models(json_: bool) -> None:
    "List the tags, their aliases, and what makes them known"
    local = Settings.from_env().model
    rows = [(entry.tag, entry.aliases, _origin(entry.tag, local)) for entry in known()]
    if json_:
        click.echo(json.dumps([dict(zip(HEADINGS, row, strict=True)) for row in rows], indent=2))
        return
    shown = [{"tag": tag, "aliases": ", ".join(aliases), "from": origin} for tag, aliases, origin in rows]
    click.echo("\n".join(line.rstrip() for line in dicts_to_table_string(HEADINGS, shown)))


def _origin(tag: str, local: str | None) -> str:
    if tag == local:
        return MODEL
    return "built in" if tag in registry.BUILT_IN else "added"


@command.command()
@click.argument("tag")
@click.option("aliases", "--alias", multiple=True, metavar="NAME", help="Another name for it after `llm -m`")
def add(tag: str, aliases: tuple[str, ...]) -> None:
    """
    Make a tag that Ollama has, or can pull, a model of llm

    Example usage:

    \b
        llm gpt-oss models add gpt-oss-safeguard:20b --alias safeguard
    """
    check_free(tag, aliases)
    registry.add(tag, aliases)
    click.echo(f"Added {tag}. Type `llm -m {aliases[0] if aliases else tag}` to run it.", err=True)


@command.command()
@click.argument("tag")
def remove(tag: str) -> None:
    "Take back what `add` did. Ollama keeps the model."
    registry.remove(tag)
    click.echo(f"Removed {tag}.", err=True)
