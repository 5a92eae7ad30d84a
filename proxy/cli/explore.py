"`llm gpt-oss explore`"

from __future__ import annotations

import webbrowser
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import click

from llm_gpt_oss.errors import GptOssError

from ..settings import Settings
from .database_option import database_option
from .run_server import listening


@click.command(name="explore")
@click.argument("id", required=False)
@database_option("Use this database")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on  [default: a free one]"
)
@click.option("-n", "--no-browser", is_flag=True, help="Print the address without opening a browser")
def command(id: str | None, database: Path | None, port: int, no_browser: bool) -> None:
    """
    Look at the log in the browser, with Datasette

    The pages show what was asked and answered, how fast that was, and what went wrong. They are read-only,
    and only you can open them: the address has a token.

    ID is the turn, thread or answer to show: its id in the log or in the API, or `last` for the latest turn.

    Needs: llm install 'llm-gpt-oss[datasette]'
    """
    import uvicorn

    from ..explore.mount import INSTALL, PATH, is_installed
    from ..explore.standalone import Access, explore_app

    if not is_installed():
        raise GptOssError("Datasette is not installed.", remedy=f"Type `{INSTALL}`.")
    from ..explore.transcript.references import is_known

    path = database or Settings().database
    if id and not is_known(path, id):
        raise GptOssError(
            f"The log {path} has no turn, thread or answer {id!r}.",
            remedy="`llm logs list` shows the id of each turn, and `last` is the latest one.",
        )
    with listening("127.0.0.1", port) as listener, suppress(KeyboardInterrupt):
        port = listener.getsockname()[1]
        access = Access(port)
        page = f"-/turn/{quote(id, safe='')}" if id else ""
        address = f"http://127.0.0.1:{port}{PATH}/{page}?token="
        click.echo(f"{address}{access.token}")
        click.echo("Press Ctrl-C to stop.", err=True)
        if not no_browser:
            # Some browsers run in the foreground.
            Thread(target=webbrowser.open, args=[f"{address}{access.single_use_token}"], daemon=True).start()
        app = explore_app(path, access)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])
