"""`llm gpt-oss keys`"""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from llm.utils import dicts_to_table_string

from ..http import api_keys

HEADINGS = ["name", "admin", "created"]


@click.group(name="keys")
def command() -> None:
    "Keys that apps send to `llm gpt-oss serve`: make, list, revoke"


@command.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May also do what concerns others")
def add(name: str, admin: bool) -> None:
    """
    Make a key for an app or a person, and show it this once

    From then on each request needs a key, also to servers that run already.
    """
    key = api_keys.add(name, admin=admin)
    click.echo(key)
    click.echo(
        f"This is the key of {name}. Only its hash is kept, so put it where the app finds it now "
        "(OPENAI_API_KEY).",
        err=True,
    )


@command.command(name="list")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
def list_keys(json_: bool) -> None:
    "List who has a key, not the keys: nobody knows them"
    known = [{name: asdict(key)[name] for name in HEADINGS} for key in api_keys.read()]
    if json_:
        click.echo(json.dumps(known, indent=2))
    elif known:
        rows = [{**each, "admin": "yes" if each["admin"] else ""} for each in known]
        click.echo("\n".join(line.rstrip() for line in dicts_to_table_string(HEADINGS, rows)))
    else:
        click.echo("There are no keys. `llm gpt-oss keys add NAME` makes one.", err=True)


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    "Take a key back, at once, also from servers that run"
    api_keys.revoke(name)
    click.echo(f"Revoked the key of {name}.", err=True)
    if not api_keys.read():
        click.echo("No key is left: servers that start now let everybody on this machine ask.", err=True)
