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
    "Manage the keys of apps that use `llm gpt-oss serve`"


@command.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let it see and change everybody's requests")
def add(name: str, admin: bool) -> None:
    """
    Make a key for an app or a person, and print it

    From then on every request needs a key. Running servers accept the new key immediately.
    """
    key = api_keys.add(name, admin=admin)
    click.echo(key)
    click.echo(
        f"This is the key of {name}. Only its hash is kept, so store it now where the app finds it "
        "(OPENAI_API_KEY).",
        err=True,
    )


@command.command()
@click.argument("name")
def rotate(name: str) -> None:
    """
    Replace a key with a new one, and print the new one

    The app keeps its responses and conversations. Running servers reject the old key immediately.
    """
    click.echo(api_keys.rotate(name))
    click.echo(f"This is the new key of {name}. The old one is not valid any more.", err=True)


@command.command(name="list")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
def list_keys(json_: bool) -> None:
    "List the names of the keys. The keys themselves are not stored"
    keys = [{name: asdict(key)[name] for name in HEADINGS} for key in api_keys.read()]
    if json_:
        click.echo(json.dumps(keys, indent=2))
    elif keys:
        rows = [{**key, "admin": "yes" if key["admin"] else ""} for key in keys]
        click.echo("\n".join(line.rstrip() for line in dicts_to_table_string(HEADINGS, rows)))
    else:
        click.echo("There are no keys. `llm gpt-oss keys add NAME` makes one.", err=True)


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """
    Revoke a key. Running servers reject it immediately

    A later key with the same name does not see what was stored with this one. To replace a key and keep
    that, use `keys rotate`.
    """
    api_keys.revoke(name)
    click.echo(f"Revoked the key of {name}.", err=True)
    if not api_keys.read():
        click.echo(
            "No keys are left, and servers still ask for one. `llm gpt-oss keys add NAME` makes one. If "
            f"programs on this machine should need none, stop the server and delete {api_keys.path()}.",
            err=True,
        )
