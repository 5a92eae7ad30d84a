"Makes the Datasette of a log, with our plugin, titles and limits."

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasette import handle_exception
from datasette.app import Datasette
from datasette.plugins import pm

from . import plugin, transcript
from .log_database import LogDatabase
from .metadata import DATABASE, metadata

# Where the pages are. Datasette makes its links with it.
BASE_URL = "/logs/"
FOLDER = Path(__file__).parent
SETTINGS = {
    "base_url": BASE_URL,
    "default_page_size": 50,
    "max_returned_rows": 1000,
    "num_sql_threads": 3,
    # A writer with the rollback journal waits for each statement. It gives up after two seconds.
    "sql_time_limit_ms": 900,
    "facet_time_limit_ms": 100,
    "suggest_facets": False,
    "default_facet_size": 20,
    # The log changes all the time.
    "default_cache_ttl": 0,
    "allow_download": False,
    "allow_csv_stream": False,
    "truncate_cells_html": 150,
}


class LogDatasette(Datasette):
    """Datasette with the log at `path` as its only database.

    `problems` returns sentences about turns that are not in the log yet. It may read files. `live` is the
    address of the page with what runs now, if this server has one.
    """

    def __init__(self, path: Path, problems: Callable[[], Sequence[str]], live: str | None = None) -> None:
        _register()
        super().__init__(
            memory=True,
            metadata=metadata(),
            settings=SETTINGS,
            template_dir=str(FOLDER / "templates"),
            static_mounts=[("-/explore", str(FOLDER / "static"))],
        )
        self.problems = problems
        self.live = live
        self.log = LogDatabase(self, path)
        self.databases: dict[str, Any] = {}
        self.add_database(self.log, name=DATABASE)
        self._root_token = None

    async def refresh_schemas(self) -> None:
        "Do nothing: these pages do not use Datasette's catalogue of all databases."

    def close(self) -> None:
        "Interrupt the statements that run, and close all connections."
        self.log.stop()
        self.executor.shutdown(cancel_futures=True)
        self.log.close()


def _register() -> None:
    """Register our plugins, once in a process.

    `plugin` also replaces Datasette's own plugin that reports errors. With rich installed, that one prints
    all local variables, such as the texts of a row, even for a page that does not exist.
    """
    if not pm.has_plugin(plugin.NAME):
        pm.register(plugin, plugin.NAME)
        pm.register(transcript)
        pm.unregister(handle_exception)
