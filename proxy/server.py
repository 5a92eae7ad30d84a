"""What all routes share: settings, models, queue, log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from llm.cli import logs_on

from llm_gpt_oss.completion import AsyncEngine
from llm_gpt_oss.hosting import Hosted
from llm_gpt_oss.models import AsyncGptOss
from llm_gpt_oss.settings import Settings as PluginSettings

from .ask import Ask
from .catalog import AnyModel, Catalog, fitted
from .hookspecs import Plugins
from .queue import Queue
from .run import Run
from .settings import Settings
from .stamp import Stamp
from .store import Store


@dataclass(frozen=True, slots=True)
class Server:
    "`engine` is a tag's, and raises GptOssError as long as there is none that can be asked."

    settings: Settings
    plugin: PluginSettings
    catalog: Catalog
    engine: Callable[[str], AsyncEngine]
    hosted: Callable[[str], Hosted]
    queue: Queue
    store: Store
    stamp: Stamp
    plugins: Plugins

    def run(self, ask: Ask, http: Request) -> Run:
        return Run(
            ask,
            http,
            chosen=self._chosen,
            queue=self.queue,
            log_of=lambda ask: self.log_of(http, stored=ask.stored),
            plugins=self.plugins,
        )

    def _chosen(self, ask: Ask) -> tuple[Ask, AnyModel]:
        meant = self.catalog.meant(ask.model)
        model = meant.other or AsyncGptOss(meant.tag, self.plugin, self.engine(meant.tag))
        defaults = {"num_ctx": self.settings.num_ctx, "reasoning_effort": meant.effort}
        given = {name: value for name, value in defaults.items() if value is not None}
        return fitted(ask, model, given), model

    def log_of(self, http: Request, *, stored: bool = False) -> Store | None:
        """Where the turns of this request go: nowhere, if they are not wanted. `stored` is whether the client
        asked for that. `llm logs off` is a file, and may be typed at any time."""
        policy = self.settings.log_policy
        wanted = http.headers.get("x-llm-log", "on").lower() != "off"
        allowed = policy == "all" or (policy == "respect-store" and stored)
        return self.store if wanted and allowed and logs_on() else None  # type: ignore[no-untyped-call]


def server_of(http: Request) -> Server:
    server: Server = http.app.state.server
    return server
