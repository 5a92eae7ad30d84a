"""What all routes share (settings, models, engines, queue, log), and how they get it.

@router.get("/v1/example")
async def example(state: StateDep, viewer: ViewerDep) -> ...

@router.post("/v1/example")
async def create(state: StateDep, client: Annotated[ClientRequest[Model], Depends(receive(Model))]) -> ...
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from llm.parts import StreamEvent
from starlette.requests import HTTPConnection

from llm_gpt_oss.catalog.binding import BoundModel, ollama_key
from llm_gpt_oss.completion import AsyncEngine
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.models import AsyncGptOss
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.settings import Settings as PluginSettings
from llm_gpt_oss.token_count import count_prompt_tokens

from .generation import Finished, GenerationRequest
from .hookspecs import Plugins
from .http.body_budget import BodyBudget
from .http.body_model import Body
from .http.errors import ApiError
from .http.request_body import receive_body
from .http.server_stop import ServerStop
from .inference.active_runs import ActiveRuns
from .inference.client_request import ClientRequest
from .inference.model_names import AnyModel, ModelNames, adapt_to_model
from .inference.queue import Queue
from .inference.retries import Retries
from .inference.run import Run
from .log.access import Viewer, viewer_of
from .log.idempotency import Attempt
from .log.policy import TurnLogging
from .log.reader import LogReader
from .log.thread_match import ThreadMatcher
from .log.writer import LogWriter
from .metrics.counters import Counters
from .metrics.server_metrics import ServerMetrics
from .settings import Settings

B = TypeVar("B", bound=Body)
# A short request may continue a conversation of so many messages that its prompt is made on a thread.
MANY_MESSAGES = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProxyState:
    """The parts of a running server, which all requests share.

    `engine_for` returns the engine of a tag; it raises GptOssError if the tag's binding cannot be used.
    `model_status` returns what the engine of a tag reports, or None if it takes too long.
    """

    settings: Settings
    plugin_settings: PluginSettings
    model_names: ModelNames
    engine_for: Callable[[str], AsyncEngine]
    bound_model: Callable[[str], BoundModel]
    model_status: Callable[[str], Awaitable[ModelStatus | None]]
    queue: Queue
    running: ActiveRuns
    log_writer: LogWriter
    log_reader: LogReader
    turn_logging: TurnLogging
    retries: Retries
    plugins: Plugins
    stop: ServerStop
    body_budget: BodyBudget
    counters: Counters
    metrics: ServerMetrics

    async def start_run(
        self, generation: GenerationRequest, client: ClientRequest[Any], attempt: Attempt, choice: int = 0
    ) -> Run:
        """Return a run whose turn is recorded in the log. Its model is called when its events are read.

        Raises ApiError or GptOssError for a request that a plugin refuses or that no model can answer.
        """
        started = time.perf_counter()
        try:
            prepared, model = await self._prepare(generation, client)
        except (ApiError, GptOssError) as error:
            # A turn needs a model, so this line is all that is recorded. Quoted, since clients control the
            # text.
            logger.warning("%s was refused and is not in the log: %r", generation.endpoint, str(error))
            raise
        # Counted from the end, since a plugin or the log may add messages at the beginning.
        distances = [len(generation.messages) - index for index in generation.message_of_entry]
        run = Run(
            prepared,
            model,
            client,
            attempt,
            choice,
            distances,
            started,
            queue=self.queue,
            turn_logging=self.turn_logging,
            plugins=self.plugins,
            stop=self.stop,
            counters=self.counters,
            running=self.running,
        )
        await run.begin()
        attempt.has_begun(choice)
        return run

    async def events(
        self, generation: GenerationRequest, client: ClientRequest[Any], attempt: Attempt, choice: int = 0
    ) -> AsyncGenerator[StreamEvent | Finished, None]:
        "Return the events of a new run, or those in the log if an earlier attempt was answered."
        if attempt.done:
            client.name_turn(attempt.answer_id)
            return self.log_reader.events(attempt.ids[choice])
        return (await self.start_run(generation, client, attempt, choice)).events()

    async def count_prompt_tokens(self, generation: GenerationRequest, client: ClientRequest[Any]) -> int:
        "Return the length of the prompt in tokens, with the messages that the client left out."
        generation, model = await self._prepare(generation, client)
        if not isinstance(model, AsyncGptOss):
            message = f"The tokens of {generation.model} cannot be counted here. Use a gpt-oss model."
            raise ApiError(400, message, code="model_not_supported", param="model")
        actor = client.viewer.actor
        known = generation.added + generation.known if generation.continues else 0
        messages = await self.log_reader.read(
            lambda log: ThreadMatcher(log).history(generation.messages, actor, known)
        )
        response = model.prompt(
            messages=messages,
            tools=list(generation.tools),
            schema=dict(generation.schema) if generation.schema else None,
            options=dict(generation.options),
        )
        async with self.queue.slot():
            return await count_prompt_tokens(model, response.prompt, self.engine_for(model.model_id))

    async def _prepare(
        self, generation: GenerationRequest, client: ClientRequest[Any]
    ) -> tuple[GenerationRequest, AnyModel]:
        "Let plugins change the request, find its model, and adapt the request to it."
        generation = await self.plugins.prepare_request(generation, client.request)
        resolved = self.model_names.resolve(generation.model)
        model = resolved.other or AsyncGptOss(
            resolved.tag,
            self.plugin_settings,
            self.engine_for(resolved.tag),
            binding=self.bound_model(resolved.tag).binding,
            off_loop=client.is_long or len(generation.messages) > MANY_MESSAGES,
        )
        effort = resolved.effort or generation.default_effort
        if self.refuses_context(generation.options.get("num_ctx")):
            options = {name: value for name, value in generation.options.items() if name != "num_ctx"}
            generation = replace(generation, options=options)
        defaults = {"num_ctx": self.settings.num_ctx, "reasoning_effort": effort}
        defaults = {name: value for name, value in defaults.items() if value is not None}
        return adapt_to_model(generation, model, defaults), model

    def refuses_context(self, num_ctx: int | None) -> bool:
        "Whether a client cannot have this context length, for which an engine would load the model again."
        if self.settings.allow_load_options or num_ctx is None:
            return False
        return num_ctx != self.settings.num_ctx

    def ollama_address(self) -> ServerAddress:
        "Return Ollama's address with the user's key, if there is one. Raises GptOssError for an invalid key."
        return self.plugin_settings.server.with_key(ollama_key())


async def _state(connection: HTTPConnection) -> ProxyState:
    state: ProxyState = connection.app.state.proxy
    return state


async def _viewer(request: Request) -> Viewer:
    return await viewer_of(request, (await _state(request)).plugins)


StateDep = Annotated[ProxyState, Depends(_state)]
ViewerDep = Annotated[Viewer, Depends(_viewer)]


def receive(model: type[B]) -> Callable[[Request], AsyncIterator[ClientRequest[B]]]:
    """The dependency for a request whose body is a `model`. Raises ApiError for any other body.

    It sets `request.state.ignored`, from which `ResponseHeaders` tells the client which fields it ignored,
    and `request.state.sent_path`, with which errors name the fields that the client sent.
    """

    # Calls functions instead of having dependencies of its own: FastAPI takes longer for one than they do.
    async def client_request(request: Request) -> AsyncIterator[ClientRequest[B]]:
        state = await _state(request)
        body = await receive_body(request, model, state.body_budget, strict=state.settings.strict)
        if state.refuses_context(body.json.get("num_ctx")):
            body = replace(body, ignored=(*body.ignored, body.sent_path("num_ctx")))
        request.state.ignored, request.state.sent_path = body.ignored, body.sent_path
        client = ClientRequest(request, body, await _viewer(request))
        with client.at_end:
            yield client

    return client_request
