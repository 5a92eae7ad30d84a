"`llm gpt-oss setup`"

from __future__ import annotations

import sys
from pathlib import Path

import click
import llm

from ..catalog import models_file
from ..engines.http.client import Client
from ..errors import GptOssError
from ..settings import ServerAddress
from ..setup.download import without_login
from ..setup.model import check_family, fetch, find_installed
from ..setup.release import BY_HAND, OFFICIAL
from ..setup.server import answering, find, home, install, start
from . import target
from .terminal import ProgressLine
from .warm import warm

FIRST_PROMPT = "Say hello in one short sentence."


@click.command(name="setup")
@click.option("-y", "--yes", is_flag=True, help="Download Ollama without asking, if it is missing")
@click.option(
    "source",
    "--from",
    metavar="URL",
    default=OFFICIAL,
    envvar="LLM_GPT_OSS_OLLAMA_RELEASE",
    show_default=True,
    show_envvar=True,
    help="Folder of the release of Ollama to download, or the file itself, with sha256sum.txt beside it",
)
@click.option("--model", metavar="TAG", help="Model to pull  [default: the one that `llm -m gpt-oss` runs]")
def command(yes: bool, source: str, model: str | None) -> None:
    """
    Bring this machine from nothing to a first answer

    Finds Ollama, or downloads its official release; starts it; pulls the model; loads it; runs one prompt.
    What is there already stays as it is, so it can be typed again after anything.
    """
    server, tag = target.server(), target.tag(model)
    new = tag not in [entry.tag for entry in target.registered_models()]
    if new:
        target.check_names_are_free(tag)
    with target.connect() as client:
        click.echo(f"Ollama {_running(client, server, source, yes)} answers at {server.url}.")
        if find_installed(client, tag) is None:
            with ProgressLine() as report:
                fetch(client, tag, report)
        click.echo(f"{tag} is here.")
        check_family(client, tag)
        warm(client, tag)
    if new:
        models_file.add(tag)
    _say_hello(tag)


def _running(client: Client, server: ServerAddress, source: str, agreed: bool) -> str:
    "The version of the server, which is started, or even downloaded, where nobody answers."
    if there := answering(client):
        return there
    if not server.loopback:
        raise GptOssError(
            f"Nobody answers at {server.url}, and that is another machine.",
            remedy="Start Ollama there, or `unset OLLAMA_HOST` to use this one.",
        )
    program = find() or _downloaded(source, agreed)
    click.echo(f"Starting {program} serve. Its log: {home() / 'ollama.log'}", err=True)
    return start(program, client)


def _downloaded(source: str, agreed: bool) -> Path:
    if not agreed:
        _ask(f"Ollama is not on this machine. Download it from {without_login(source)} to {home()}?")
    with ProgressLine() as report:
        return install(source, report)


def _ask(question: str) -> None:
    "Return if a person agrees. Where none can, say how to agree beforehand."
    if not sys.stdin.isatty():
        raise GptOssError(
            "Ollama is not on this machine.",
            remedy=f"Type `llm gpt-oss setup --yes` to download it. Or: {BY_HAND}",
        )
    if not click.confirm(question, err=True):
        raise GptOssError("Nothing was downloaded.", remedy=BY_HAND)


def _say_hello(tag: str) -> None:
    click.echo(f"\n$ llm -m {tag} '{FIRST_PROMPT}'")
    for chunk in llm.get_model(tag).prompt(FIRST_PROMPT, reasoning_effort="low"):
        click.echo(chunk, nl=False)
    click.echo()
