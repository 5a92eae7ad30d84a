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
from ..setup.model import check_family, find_installed, pull_model
from ..setup.release import MANUAL_INSTALL, OFFICIAL
from ..setup.server import find_program, install, server_version, setup_folder, start_server
from . import target
from .terminal import ProgressLine
from .warm import load_model

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
    help="Folder of the release of Ollama to download, or a file in it. The folder needs a sha256sum.txt",
)
@click.option("--model", metavar="TAG", help="Model to download  [default: the model of `llm -m gpt-oss`]")
def command(yes: bool, source: str, model: str | None) -> None:
    """
    Install Ollama and a model, and run a first prompt

    Each step is skipped if it is done already: download Ollama's official release, start the server, download
    the model, load it, run a prompt. You can repeat this command at any time.
    """
    server, tag = target.server(), target.tag(model)
    is_new = tag not in [entry.tag for entry in target.registered_models()]
    if is_new:
        target.check_names_are_free(tag)
    with target.connect() as client:
        version = _ensure_server(client, server, source, consent=yes)
        click.echo(f"Ollama {version} answers at {server.url}.")
        if find_installed(client, tag) is None:
            with ProgressLine() as report:
                pull_model(client, tag, report)
        click.echo(f"{tag} is installed.")
        check_family(client, tag)
        load_model(client, tag)
    if is_new:
        models_file.add(tag)
    _run_first_prompt(tag)


def _ensure_server(client: Client, server: ServerAddress, source: str, *, consent: bool) -> str:
    "Start Ollama if it does not answer, and download it if it is missing. Return its version."
    if version := server_version(client):
        return version
    if not server.loopback:
        raise GptOssError(
            f"Ollama does not answer at {server.url}, which is another machine.",
            remedy="Start Ollama there, or `unset OLLAMA_HOST` to use this machine.",
        )
    program = find_program() or _download(source, consent)
    click.echo(f"Starting {program} serve. Its log: {setup_folder() / 'ollama.log'}", err=True)
    return start_server(program, client)


def _download(source: str, consent: bool) -> Path:
    if not consent:
        _confirm(
            f"Ollama is not on this machine. Download it from {without_login(source)} to {setup_folder()}?"
        )
    with ProgressLine() as report:
        return install(source, report)


def _confirm(question: str) -> None:
    "Return if the user agrees. Without a terminal, raise an error that names the option for it."
    if not sys.stdin.isatty():
        raise GptOssError(
            "Ollama is not on this machine.",
            remedy=f"Type `llm gpt-oss setup --yes` to download it. Or: {MANUAL_INSTALL}",
        )
    if not click.confirm(question, err=True):
        raise GptOssError("Nothing was downloaded.", remedy=MANUAL_INSTALL)


def _run_first_prompt(tag: str) -> None:
    click.echo(f"\n$ llm -m {tag} '{FIRST_PROMPT}'")
    for chunk in llm.get_model(tag).prompt(FIRST_PROMPT, reasoning_effort="low"):
        click.echo(chunk, nl=False)
    click.echo()
