"""What all routes share: settings, models, queue, log."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from llm.parts import StreamEvent

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import AsyncEngine
from llm_gpt_oss.models import AsyncGptOss
from llm_gpt_oss.settings import Settings as PluginSettings
from llm_gpt_oss.token_count import count_prompt_tokens

from .generation import Ask, Finished
from .hookspecs import Plugins
from .http.errors import ApiError
from .inference.model_names import AnyModel, Catalog, fitted
from .inference.queue import Queue
from .inference.run import Run
from .log.idempotency import Attempt, Past, key_of, said_in, taken_up
from .log.reader import Stored
from .log.spool import LOOK
from .log.threads import Threads
from .log.writer import Store
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Server:
    """`engine` is a tag's, and raises GptOssError as long as there is none that can be asked. `logs_off` is
    the file that `llm logs off` makes."""

    settings: Settings
    plugin: PluginSettings
    catalog: Catalog
    engine: Callable[[str], AsyncEngine]
    hosted: Callable[[str], BoundModel]
    queue: Queue
    store: Store
    stored: Stored
    new_id: Callable[[], str]
    plugins: Plugins
    logs_off: Path

    async def attempt(self, http: Request, choices: int = 1, *, waits: bool = True) -> Attempt:
        """At answering this request, whose body has been read. The same one sent again has the answer of the
        first, which it waits for unless `waits` is False, or the ids of turns that broke off."""
        ids = tuple(self.new_id() for _ in range(choices))
        saying = said_in(http.headers)
        if saying is None:
            return Attempt(ids)
        actor = await self.plugins.actor_of(http)
        key = key_of(saying, http.url.path.encode(), (actor or "").encode(), http.state.body)
        if saying.first:
            return Attempt(ids, key)
        taken = taken_up(await self._past(key, saying.hours, waits), choices)
        if taken is None:
            return Attempt(ids, key)
        ids = (*taken.ids, *ids[len(taken.ids) :])
        return Attempt(ids, key, done=taken.well == choices, running=taken.under_way)

    async def _past(self, key: str, hours: int, waits: bool) -> Sequence[Past]:
        "The attempts with this key in the last `hours`."
        since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
        past = await self.stored.attempts(key, since)
        while waits and any(each.under_way for each in past):
            await asyncio.sleep(LOOK)
            past = await self.stored.attempts(key, since)
        return past

    def run(self, ask: Ask, http: Request, attempt: Attempt, choice: int = 0) -> Run:
        return Run(
            ask,
            http,
            attempt,
            choice,
            chosen=self._chosen,
            queue=self.queue,
            log_of=lambda ask: self.log_of(http, stored=ask.stored),
            plugins=self.plugins,
        )

    def events(
        self, ask: Ask, http: Request, attempt: Attempt, choice: int = 0
    ) -> AsyncGenerator[StreamEvent | Finished, None]:
        "The model's, or the log's where an earlier attempt was answered already."
        if attempt.done:
            return self.stored.events(attempt.ids[choice])
        return self.run(ask, http, attempt, choice).events()

    async def prompt_tokens(self, ask: Ask, http: Request) -> int:
        "What the model would read for this Ask, with what its client left out put back."
        ask, model = self._chosen(await self.plugins.prepare_ask(ask, http))
        if not isinstance(model, AsyncGptOss):
            message = f"The tokens of {ask.model} cannot be counted here, those of gpt-oss can."
            raise ApiError(400, message, code="model_not_supported", param="model")
        actor = await self.plugins.actor_of(http)
        known = ask.added + ask.known if ask.continues else 0
        messages = await self.stored.read(lambda log: Threads(log).history(ask.messages, actor, known))
        asked = model.prompt(
            messages=messages,
            tools=list(ask.tools),
            schema=dict(ask.schema) if ask.schema else None,
            options=dict(ask.options),
        )
        async with self.queue.place():
            return await count_prompt_tokens(model, asked.prompt, self.engine(model.model_id))

    def _chosen(self, ask: Ask) -> tuple[Ask, AnyModel]:
        meant = self.catalog.meant(ask.model)
        model = meant.other or AsyncGptOss(meant.tag, self.plugin, self.engine(meant.tag))
        defaults = {"num_ctx": self.settings.num_ctx, "reasoning_effort": meant.effort}
        given = {name: value for name, value in defaults.items() if value is not None}
        return fitted(ask, model, given), model

    def log_of(self, http: Request, *, stored: bool = False) -> Store | None:
        """Where the turns of this request go: nowhere, if they are not wanted. `stored` is whether the client
        asked for that. `llm logs off` may be typed at any time."""
        policy = self.settings.log_policy
        wanted = http.headers.get("x-llm-log", "on").lower() != "off"
        allowed = policy == "all" or (policy == "respect-store" and stored)
        return self.store if wanted and allowed and not self.logs_off.exists() else None


def server_of(http: Request) -> Server:
    server: Server = http.app.state.server
    return server
