"""What `llm gpt-oss serve` does: listen, print the address, and run the application.

With `--workers` or `--reload` there are several processes. Each imports the application by its name and gets
the settings from the environment (`Settings.export_to_workers`). They share the log and nothing else.
"""

from __future__ import annotations

import errno
import gc
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import click

import llm_gpt_oss
from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import UNBOUND, read_bindings
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.engines.providers import get_provider
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.settings import Settings as PluginSettings

from ..http import api_keys
from ..http.api_keys import COMMAND_LINE_KEY, KeyRing
from ..http.host_names import host_in_url, is_local, normalize_host
from ..http.server_signals import ending_at_signals
from ..log.file_access import is_open_to_others
from ..settings import KEY, Settings

# A good context length for agents, and the least. Their instructions and tools have about 10,000 tokens.
AGENT_CONTEXTS = (32_768, 16_384)
# Seconds that running answers get to finish when the server is stopped.
GRACE_SECONDS = 30
# Seconds that a worker has to start. uvicorn's own limit is 5. On a busy machine importing takes longer, and
# uvicorn would kill one worker after another.
START_SECONDS = 30
# The garbage collector runs after this many new objects.
NEW_OBJECTS = 20_000
APP = "proxy.cli.workers:worker_app"
# Where a client on this machine reaches a server that listens on all addresses.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not listened on)
# The folders that `--reload` watches.
FOLDERS = [str(Path(file).parent) for file in (__file__, llm_gpt_oss.__file__)]


def serve(settings: Settings) -> None:
    "Run the server until it is stopped. Raises ClickException if it cannot start."
    settings = replace(settings, host=normalize_host(settings.host))
    ring = KeyRing(settings.key_hash)
    # Raises if the model's engine does not exist.
    get_provider(_default_model(settings).engine)
    if not is_local(settings.host) and not settings.allow_unauthenticated and not ring.has_keys:
        raise click.ClickException(
            f"{settings.host or 'An empty host'} can be reached from other machines, so anybody there could "
            "use the server and read its log. Make a key (`llm gpt-oss keys add NAME`), or set "
            f"{KEY}, or type --allow-unauthenticated if that is what you want, or leave --host "
            "at 127.0.0.1."
        )
    if ring.has_keys and not ring.current():
        raise click.ClickException(
            "All keys were revoked, so no client could use the server. Make one (`llm gpt-oss keys add "
            f"NAME`), or delete {api_keys.path()} if programs on this machine should need none."
        )
    with listening(settings.host, settings.port) as listener, ending_at_signals():
        settings = replace(settings, port=listener.getsockname()[1])
        announce(settings, ring)
        _run(settings, listener)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ClickException with the reason if it cannot.

    It is opened before the application is imported, so that the port is known and errors come at once.
    """
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = addresses[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except OSError as problem:
        where = f"{host_in_url(host)}:{port}"
        if problem.errno == errno.EADDRINUSE:
            message = f"{where} is in use. Stop what uses it, or type another --port (0 takes a free one)."
        else:
            message = f"Cannot listen at {where}: {problem.strerror}."
        raise click.ClickException(message) from problem
    return listener


def announce(settings: Settings, ring: KeyRing) -> None:
    "Print the address, who can use the server, where it logs, and a line to paste into a shell."
    from ..explore.mount import PATH, is_installed

    url = f"http://{host_in_url(LOOPBACK.get(settings.host, settings.host))}:{settings.port}"
    names = ", ".join(
        f"the one of --key-file, --key or {KEY}" if key.name == COMMAND_LINE_KEY else key.name
        for key in ring.current()
    )
    clients = "any machine" if settings.allow_unauthenticated else "this machine"
    log = "Not logging" if settings.log_policy == "off" else f"Logging to {settings.database}"
    click.echo(f"Serving {settings.model} at {url}", err=True)
    click.echo(f"Key: {names}" if names else f"Key: not required, for clients on {clients}", err=True)
    click.echo(log, err=True)
    if settings.log_policy != "off" and is_installed():
        click.echo(f"See the log at {url}{PATH}, and its latest turn at {url}{PATH}/-/turn/last", err=True)
    click.echo(f"See running requests at {url}/live", err=True)
    if settings.log_policy != "off" and is_open_to_others(settings.database):
        option = "" if settings.database == Settings().database else f" -d {quote(str(settings.database))}"
        click.echo(
            f"Warning: other users of this machine can read this log. `llm gpt-oss logs protect{option}` "
            "changes that.",
            err=True,
        )
    if not names:
        warn_about_web_pages(settings)
        if settings.allow_unauthenticated:
            click.echo(
                "Clients on other machines count as one: each sees what the others store.",
                err=True,
            )
    click.echo(f"export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={'YOUR_KEY' if names else 'any'}", err=True)


def warn_about_web_pages(settings: Settings) -> None:
    "Print which options let pages of the web use a server without keys."
    allowed = [
        *(f"--allowed-host '{name}'" for name in settings.allowed_hosts if name == "*"),
        *(f"--cors-origin '{origin}'" for origin in settings.cors_origins if origin in ("*", "null")),
    ]
    for option in dict.fromkeys(allowed):
        click.echo(
            f"Warning: {option} lets any web page that somebody opens here use this server and read its log. "
            "Name what you need instead, or make a key (`llm gpt-oss keys add NAME`).",
            err=True,
        )


def warn_about_engine(model: BoundModel, num_ctx: int | None = None) -> None:
    """Print why the engine could not answer at the moment. It may start later than this server.

    If it can, print how to get a longer context, unless `num_ctx` sets its length.
    """
    try:
        status = get_provider(model.engine).model_status(model, model.api_key())
    except GptOssError as problem:
        status = ModelStatus("", problem=str(problem))
    if status.problem:
        click.echo(f"{status.problem} Until then apps get an error.", err=True)
    elif num_ctx is None and (longer := longer_context(status)):
        click.echo(
            f"{model.tag} has a context of {status.context_length} tokens. Coding agents need "
            f"{AGENT_CONTEXTS[-1]} or more, and there is memory for that: type `llm gpt-oss serve --num-ctx "
            f"{longer}`.",
            err=True,
        )


def longer_context(status: ModelStatus) -> int | None:
    "Return a context length for agents that fits into memory, None if the model has one or nothing is known."
    length, possible = status.context_length, status.possible_context
    if status.fixed_context or not length or not possible or length >= AGENT_CONTEXTS[-1]:
        return None
    return next((context for context in AGENT_CONTEXTS if context <= possible), None)


def _default_model(settings: Settings) -> BoundModel:
    "Return the model without importing llm, whose plugins take longer to load than everything else."
    plugin_settings = PluginSettings.from_env().with_engine(settings.engine)
    return BoundModel(settings.model, plugin_settings, read_bindings().get(settings.model, UNBOUND))


def _check_engine(settings: Settings) -> None:
    "Check the engine in another thread, so that the server need not wait for it."
    Thread(target=warn_about_engine, args=[_default_model(settings), settings.num_ctx], daemon=True).start()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Exclude everything that is imported and created in this context from garbage collection.

    It lives as long as the server. Afterwards the collector runs seldom: a long conversation has thousands of
    objects, and almost none of them are garbage.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS)
        gc.enable()


def _run(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    from ..http.connection_limit import ACCEPTED_AT_ONCE, raise_file_limit
    from ..http.protocol import HTTP11Protocol
    from ..http.server_stop import CLEAN_UP_SECONDS
    from ..http.websocket_protocol import WebSocketProtocol

    raise_file_limit()
    options: dict[str, Any] = {
        "backlog": ACCEPTED_AT_ONCE,
        "http": HTTP11Protocol,
        "ws": WebSocketProtocol,
        # A compressed message of 15 KB can become one of 15 MB.
        "ws_per_message_deflate": False,
        "log_level": "warning",
        "access_log": False,
        "timeout_graceful_shutdown": GRACE_SECONDS + CLEAN_UP_SECONDS,
        "timeout_keep_alive": settings.idle_timeout,
    }
    if settings.workers == 1 and not settings.reload:
        with _without_garbage_collection():
            from ..app import create_app
            from ..http.server import QuietServer

            server = QuietServer(uvicorn.Config(create_app(settings), **options))
        _check_engine(settings)
        server.run([listener])
        return
    _check_engine(settings)
    if settings.reload:
        settings.export_to_workers()
        listener.close()  # uvicorn opens one for all of its processes
        options |= {"reload": True, "reload_dirs": FOLDERS}
        uvicorn.run(APP, factory=True, host=settings.host, port=settings.port, **options)
        return
    from .workers import Workers

    options |= {"workers": settings.workers, "timeout_worker_healthcheck": START_SECONDS}
    with TemporaryDirectory(prefix="llm-gpt-oss-") as folder:
        replace(settings, workers_folder=Path(folder)).export_to_workers()
        workers = Workers(uvicorn.Config(APP, factory=True, **options), [listener])
        workers.run()
    if workers.failed:
        sys.exit(1)
