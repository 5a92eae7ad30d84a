"""What `llm gpt-oss serve` does: listens, says so, and runs the application.

Several processes (`--workers`, `--reload`) import the application by its name, each for itself; the settings
reach them through the environment (`Settings.hand_down`). They share the log, and nothing else.
"""

from __future__ import annotations

import errno
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import click

import llm_gpt_oss
from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE, BoundModel
from llm_gpt_oss.catalog.models_file import UNBOUND, read_bindings
from llm_gpt_oss.catalog.tags import same_model
from llm_gpt_oss.cli.target import connect
from llm_gpt_oss.engines.ollama.requests import tags
from llm_gpt_oss.engines.registered import get_provider
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.settings import Settings as PluginSettings

from ..http.api_keys import COMMAND_LINE_KEY, KeyRing
from ..http.host_names import in_url, is_local, normalize_host
from ..settings import Settings

# Seconds that running answers get when the server is stopped.
GRACE = 30
APP = "proxy.app:create_app"
# Where a client on this machine finds what listens everywhere.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
# What `--reload` watches.
FOLDERS = [str(Path(file).parent) for file in (__file__, llm_gpt_oss.__file__)]


def serve(settings: Settings) -> None:
    "Until it is stopped. Raises ClickException where it cannot be begun."
    settings = replace(settings, host=normalize_host(settings.host))
    ring = KeyRing(settings.key_hash)
    # Raises where the model is on an engine that there is not.
    get_provider(_model(settings).engine)
    if not is_local(settings.host) and not settings.allow_unauthenticated and not ring.wanted:
        raise click.ClickException(
            f"{settings.host or 'An empty host'} can be reached from other machines, and whoever reaches it "
            "may ask and read. Make a key (`llm gpt-oss keys add NAME`), or type --allow-unauthenticated if "
            "that is meant, or leave --host at 127.0.0.1."
        )
    with listening(settings.host, settings.port) as listener, _ended_in_order():
        settings = replace(settings, port=listener.getsockname()[1])
        announce(settings, ring)
        _run(settings, listener)


def listening(host: str, port: int) -> socket.socket:
    "Opened before anything else, so that the port is known, and a port that is taken is one clear line."
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except OSError as problem:
        where = f"{in_url(host)}:{port}"
        if problem.errno == errno.EADDRINUSE:
            why = f"{where} is in use. Stop what uses it, or type another --port (0 takes a free one)."
        else:
            why = f"There is no listening at {where}: {problem.strerror}."
        raise click.ClickException(why) from problem
    return listener


def announce(settings: Settings, ring: KeyRing) -> None:
    "Where it is, who may ask, where it logs; and a line to paste."
    where = f"http://{in_url(EVERYWHERE.get(settings.host, settings.host))}:{settings.port}"
    names = ", ".join(
        "the one of --key" if key.name == COMMAND_LINE_KEY else key.name for key in ring.current()
    )
    who = "any machine" if settings.allow_unauthenticated else "this machine"
    log = "Not logging" if settings.log_policy == "off" else f"Logging to {settings.database}"
    click.echo(f"Serving {settings.model} at {where}", err=True)
    click.echo(f"Key: {names}" if names else f"Key: none is needed, {who} may ask", err=True)
    click.echo(log, err=True)
    click.echo(f"export OPENAI_BASE_URL={where}/v1 OPENAI_API_KEY={'YOUR_KEY' if names else 'any'}", err=True)


def tell_of_engine(model: BoundModel) -> None:
    "Where it could not answer now. Nobody waits for it: the server is of use as soon as the engine is."
    if model.engine == DEFAULT_ENGINE:
        tell_of_ollama(model.tag)
    elif problem := get_provider(model.engine).model_status(model, model.api_key()).problem:
        click.echo(f"{problem} Until then apps get an error.", err=True)


def tell_of_ollama(model: str) -> None:
    try:
        with connect() as client:
            there = any(same_model(pulled.name, model) for pulled in client.send(tags()))
    except GptOssError as problem:
        click.echo(f"{problem} Until then apps get an error.", err=True)
        return
    if not there:
        click.echo(f"Ollama does not have {model} yet. Type `ollama pull {model}`.", err=True)


def _model(settings: Settings) -> BoundModel:
    "Not asked of llm, whose plugins take longer to load than all the rest together."
    plugin = PluginSettings.from_env().with_engine(settings.engine)
    return BoundModel(settings.model, plugin, read_bindings().get(settings.model, UNBOUND))


def _look_at_engine(settings: Settings) -> None:
    Thread(target=tell_of_engine, args=[_model(settings)], daemon=True).start()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    "Being told to stop is no failure. uvicorn stops by itself, and then raises the signal again."
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _for_good() -> Iterator[None]:
    """What is imported and made in here stays, so the garbage collector need not look through it: not now,
    when it would do so several times, nor as long as the server runs."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _run(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    from ..http.protocol import NoDelayProtocol

    options: dict[str, Any] = {
        "http": NoDelayProtocol,
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACE,
    }
    if settings.workers == 1 and not settings.reload:
        with _for_good():
            from ..app import create_app

            server = uvicorn.Server(uvicorn.Config(create_app(settings), **options))
        _look_at_engine(settings)
        server.run([listener])
        if not server.started:
            sys.exit(1)
        return
    listener.close()  # uvicorn opens one for all of its processes
    settings.export_to_workers()
    _look_at_engine(settings)
    options |= {"reload": True, "reload_dirs": FOLDERS} if settings.reload else {"workers": settings.workers}
    uvicorn.run(APP, factory=True, host=settings.host, port=settings.port, **options)
