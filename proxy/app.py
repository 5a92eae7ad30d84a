"""Creates the FastAPI application from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import llm
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Lifespan, Scope

from llm_gpt_oss.catalog.models_file import model_entries, read_aliases, read_bindings
from llm_gpt_oss.completion import AsyncEngine
from llm_gpt_oss.settings import Settings as PluginSettings

from .api import embeddings, health, login, metrics, models
from .api.anthropic import models as anthropic_models
from .api.anthropic import route as anthropic
from .api.chat_completions import route as chat_completions
from .api.chat_completions import stored_routes
from .api.completions import route as completions
from .api.conversations import route as conversations
from .api.ollama import route as ollama
from .api.responses import compact, input_tokens, websocket
from .api.responses import route as responses
from .api.responses.background import Backgrounds
from .api.responses.context import ConversationLocks
from .explore.mount import LogPages, is_installed
from .hookspecs import Plugins
from .http.api_keys import KeyRing
from .http.auth import Auth
from .http.body_budget import BUDGET, BodyBudget
from .http.cors import Cors
from .http.errors import ApiError, handle_error, handle_http_exception
from .http.head_requests import HeadRequests
from .http.paths import CanonicalPaths
from .http.response_headers import ResponseHeaders
from .http.server_stop import STATE, ServerStop
from .http.trusted_hosts import TrustedHosts
from .http.trusted_origins import TrustedOrigins
from .http.validation_errors import handle_validation_error
from .inference.active_runs import ActiveRuns
from .inference.engines import Engines
from .inference.model_names import ModelNames
from .inference.model_statuses import ModelStatuses
from .inference.queue import Queue
from .inference.retries import Retries
from .live import route as live
from .live.live_runs import LiveRuns
from .live.worker_sockets import WorkerSockets
from .log.access import viewer_of
from .log.ids import new_id
from .log.policy import TurnLogging
from .log.reader import LogReader
from .log.shared_locks import SharedLocks
from .log.writer import LogWriter
from .metrics.counters import Counters
from .metrics.server_metrics import ServerMetrics
from .openapi import route as openapi
from .settings import Settings, user_dir
from .state import ProxyState

# Seconds that a connection to Ollama stays open for the next request. Servers and gateways keep unused
# connections longer than that.
KEEPALIVE_SECONDS = 2
# Modules with routes. The first module with a route for a path answers the request.
ROUTES = (
    chat_completions,
    stored_routes,
    responses,
    input_tokens,
    compact,
    websocket,
    conversations,
    completions,
    anthropic,
    embeddings,
    ollama,
    anthropic_models,
    models,
    health,
    login,
    metrics,
    live,
    openapi,
)
ERROR_HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    ApiError: handle_error,
    llm.ModelError: handle_error,
    RecursionError: handle_error,
    RequestValidationError: handle_validation_error,
    HTTPException: handle_http_exception,
}


def create_app(
    settings: Settings | None = None,
    *,
    engine: AsyncEngine | None = None,
    new_id: Callable[[], str] = new_id,
    plugins: Sequence[object] = (),
) -> FastAPI:
    """Create the application. Without `settings`, it reads them from the environment.

    The application uses `plugins` in addition to the installed ones. Tests pass an `engine` that answers for
    all models, and a `new_id` that makes predictable ids.
    """
    settings = settings or Settings.for_this_process()
    state, engines = _create_state(settings, engine, new_id, plugins)
    backgrounds = Backgrounds(state.log_writer.folder)
    log_pages = _log_pages(state)
    live_runs = LiveRuns(
        state.running,
        WorkerSockets(settings.workers_folder),
        state.stop,
        has_transcripts=is_installed(),
    )
    # `include_router` would build each route a second time.
    routes = [route for module in ROUTES for route in module.router.routes]
    paths = [route.path for route in routes if isinstance(route, Route)]
    ring = KeyRing(settings.key_hash, allow_unauthenticated=settings.allow_unauthenticated)
    app = FastAPI(
        title="llm-gpt-oss",
        lifespan=_lifespan(state, engines, backgrounds, log_pages, live_runs),
        routes=[*routes, *log_pages.routes()],
        # Clients do not repeat a POST where a redirect points to.
        redirect_slashes=False,
        # `openapi` has the description of the API. FastAPI's pages about it load scripts from other servers.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=list(_middleware(state, ring, paths)),
        exception_handlers=ERROR_HANDLERS,
    )
    _provide_dependencies(app, state, backgrounds, live_runs, ring)
    state.plugins.register_routes(app)
    return app


def _create_state(
    settings: Settings, engine: AsyncEngine | None, new_id: Callable[[], str], plugins: Sequence[object]
) -> tuple[ProxyState, Engines]:
    "Return what all routes share, and the engines that the server closes when it stops."
    plugin_settings = PluginSettings.from_env().with_engine(settings.engine).with_keepalive(KEEPALIVE_SECONDS)
    entries = model_entries(settings.model, read_aliases(), bindings=read_bindings())
    engines = Engines(plugin_settings, entries)
    others = llm.get_models_with_aliases() if settings.all_models else ()
    model_names = ModelNames(entries, settings.aliases, others)
    counters = Counters(model_names.tags)
    log_writer = LogWriter(settings.database)
    log_reader = LogReader(settings.database, log_writer.spool)
    state = ProxyState(
        settings=settings,
        plugin_settings=plugin_settings,
        model_names=model_names,
        engine_for=(lambda tag: engine) if engine else engines.engine_for,
        bound_model=engines.bound_model,
        model_status=_no_status if engine else ModelStatuses(engines.bound_model).status,
        queue=Queue(settings.max_concurrency, settings.queue_size),
        running=ActiveRuns(),
        log_writer=log_writer,
        log_reader=log_reader,
        turn_logging=TurnLogging(log_writer, settings.log_policy, user_dir() / "logs-off"),
        retries=Retries(log_reader, SharedLocks(log_writer.folder, "attempt"), new_id),
        plugins=Plugins(plugins),
        stop=ServerStop(),
        body_budget=BodyBudget(),
        counters=counters,
        metrics=ServerMetrics(counters, settings.workers_folder),
    )
    return state, engines


async def _no_status(tag: str) -> None:
    "Nothing is known of the models of an engine that was passed."


def _log_pages(state: ProxyState) -> LogPages:
    async def is_admin(scope: Scope) -> bool:
        return (await viewer_of(Request(scope), state.plugins)).admin

    return LogPages(state.settings.database, state.log_writer.problems, is_admin, live="/live")


def _lifespan(
    state: ProxyState, engines: Engines, backgrounds: Backgrounds, log_pages: LogPages, live_runs: LiveRuns
) -> Lifespan[FastAPI]:
    "Return the context that opens the log when the server starts, and closes everything when it stops."

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await state.log_writer.open()
        publishing = asyncio.ensure_future(metrics.publish_regularly(state))
        await live_runs.open()
        try:
            yield {STATE: state.stop, BUDGET: state.body_budget}
        finally:  # a second signal cancels this task
            publishing.cancel()
            await backgrounds.close()
            await log_pages.close()
            await live_runs.close()
            await engines.aclose()
            await state.log_writer.close()
            state.stop.lost = state.log_writer.lost
            state.log_reader.close()

    return lifespan


def _provide_dependencies(
    app: FastAPI, state: ProxyState, backgrounds: Backgrounds, live_runs: LiveRuns, ring: KeyRing
) -> None:
    "Set what routes get: `StateDep`, `BackgroundsDep`, `LocksDep`, the live runs and the login."
    app.state.proxy = state
    app.state.backgrounds = backgrounds
    app.state.live_runs = live_runs
    app.state.login = login.Login(ring)
    app.state.locks = ConversationLocks(state.log_writer.folder)


def _middleware(state: ProxyState, ring: KeyRing, paths: Sequence[str]) -> Iterator[Middleware]:
    "Yield the middleware, the outermost first."
    settings = state.settings
    origins = TrustedOrigins(settings.cors_origins)
    yield Middleware(Cors, origins=origins)
    yield Middleware(CanonicalPaths, routes=paths)
    yield Middleware(ResponseHeaders, answer_began=state.counters.answer_began)
    yield Middleware(TrustedHosts, names=(settings.host, *settings.allowed_hosts), origins=origins, ring=ring)
    yield Middleware(Auth, ring=ring)
    yield Middleware(HeadRequests)
