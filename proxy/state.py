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

from .generation import Finished, GenerationRequest
from .hookspecs import Plugins
from .http.errors import ApiError
from .inference.model_names import AnyModel, ModelNames, adapt_to_model
from .inference.queue import Queue
from .inference.run import Run
from .log.idempotency import Attempt, PreviousAttempt, request_key, retry_hint, select_attempt
from .log.reader import LogReader
from .log.spool import POLL_SECONDS
from .log.threads import Threads
from .log.writer import LogWriter
from .settings import Settings


@dataclass(frozen=True, slots=True)
class ProxyState:
    """`engine` is a tag's, and raises GptOssError as long as there is none that can be asked. `logs_off` is
    the file that `llm logs off` makes."""

    settings: Settings
    plugin_settings: PluginSettings
    model_names: ModelNames
    engine_for: Callable[[str], AsyncEngine]
    bound_model: Callable[[str], BoundModel]
    queue: Queue
    log_writer: LogWriter
    log_reader: LogReader
    new_id: Callable[[], str]
    plugins: Plugins
    logs_off_file: Path

    async def attempt(self, http: Request, choices: int = 1, *, waits: bool = True) -> Attempt:
        """At answering this request, whose body has been read. The same one sent again has the answer of the
        first, which it waits for unless `waits` is False, or the ids of turns that broke off."""
        ids = tuple(self.new_id() for _ in range(choices))
        saying = retry_hint(http.headers)
        if saying is None:
            return Attempt(ids)
        actor = await self.plugins.actor_of(http)
        key = request_key(saying, http.url.path.encode(), (actor or "").encode(), http.state.body)
        if saying.first:
            return Attempt(ids, key)
        taken = select_attempt(await self._past(key, saying.hours, waits), choices)
        if taken is None:
            return Attempt(ids, key)
        ids = (*taken.ids, *ids[len(taken.ids) :])
        return Attempt(ids, key, done=taken.succeeded == choices, running=taken.in_progress)

    async def _past(self, key: str, hours: int, waits: bool) -> Sequence[PreviousAttempt]:
        "The attempts with this key in the last `hours`."
        since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
        past = await self.log_reader.attempts(key, since)
        while waits and any(each.in_progress for each in past):
            await asyncio.sleep(POLL_SECONDS)
            past = await self.log_reader.attempts(key, since)
        return past

    def run(self, ask: GenerationRequest, http: Request, attempt: Attempt, choice: int = 0) -> Run:
        return Run(
            ask,
            http,
            attempt,
            choice,
            chosen=self._chosen,
            queue=self.queue,
            log_of=lambda ask: self.writer_for(http, stored=ask.store),
            plugins=self.plugins,
        )

    def events(
        self, ask: GenerationRequest, http: Request, attempt: Attempt, choice: int = 0
    ) -> AsyncGenerator[StreamEvent | Finished, None]:
        "The model's, or the log's where an earlier attempt was answered already."
        if attempt.done:
            return self.log_reader.events(attempt.ids[choice])
        return self.run(ask, http, attempt, choice).events()

    async def count_prompt_tokens(self, ask: GenerationRequest, http: Request) -> int:
        "What the model would read for this Ask, with what its client left out put back."
        ask, model = self._chosen(await self.plugins.prepare_request(ask, http))
        if not isinstance(model, AsyncGptOss):
            message = f"The tokens of {ask.model} cannot be counted here, those of gpt-oss can."
            raise ApiError(400, message, code="model_not_supported", param="model")
        actor = await self.plugins.actor_of(http)
        known = ask.added + ask.known if ask.continues else 0
        messages = await self.log_reader.read(lambda log: Threads(log).history(ask.messages, actor, known))
        asked = model.prompt(
            messages=messages,
            tools=list(ask.tools),
            schema=dict(ask.schema) if ask.schema else None,
            options=dict(ask.options),
        )
        async with self.queue.slot():
            return await count_prompt_tokens(model, asked.prompt, self.engine_for(model.model_id))

    def _chosen(self, ask: GenerationRequest) -> tuple[GenerationRequest, AnyModel]:
        meant = self.model_names.resolve(ask.model)
        model = meant.other or AsyncGptOss(meant.tag, self.plugin_settings, self.engine_for(meant.tag))
        defaults = {"num_ctx": self.settings.num_ctx, "reasoning_effort": meant.effort}
        given = {name: value for name, value in defaults.items() if value is not None}
        return adapt_to_model(ask, model, given), model

    def writer_for(self, http: Request, *, stored: bool = False) -> LogWriter | None:
        """Where the turns of this request go: nowhere, if they are not wanted. `stored` is whether the client
        asked for that. `llm logs off` may be typed at any time."""
        policy = self.settings.log_policy
        wanted = http.headers.get("x-llm-log", "on").lower() != "off"
        allowed = policy == "all" or (policy == "respect-store" and stored)
        return self.log_writer if wanted and allowed and not self.logs_off_file.exists() else None


def server_of(http: Request) -> ProxyState:
    server: ProxyState = http.app.state.server
    return server
