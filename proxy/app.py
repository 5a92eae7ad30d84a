"""The application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import llm
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from llm_gpt_oss.catalog.models_file import model_entries, read_aliases, read_bindings
from llm_gpt_oss.completion import AsyncEngine
from llm_gpt_oss.settings import Settings as PluginSettings

from .api import embeddings, health, models
from .api.chat_completions import route as chat
from .api.chat_completions import stored_routes
from .api.completions import route as completions
from .api.conversations import route as conversations
from .api.ollama import route as ollama_api
from .api.responses import compact, input_tokens, websocket
from .api.responses import route as responses
from .api.responses.background import Backgrounds
from .api.responses.context import ConversationLocks
from .hookspecs import Plugins
from .http.api_keys import KeyRing
from .http.auth import Auth
from .http.errors import ApiError, handle_error, handle_http_exception
from .http.response_headers import EXPOSED, ResponseHeaders
from .http.trusted_hosts import TrustedHosts
from .http.validation_errors import handle_validation_error
from .inference.engines import Engines
from .inference.model_names import ModelNames
from .inference.queue import Queue
from .log.ids import new_id
from .log.reader import LogReader
from .log.writer import LogWriter
from .settings import Settings, user_dir
from .state import ProxyState

# Seconds that a connection to Ollama waits for the next request: fewer than any server or gateway waits.
IDLE = 2


def create_app(
    settings: Settings | None = None,
    *,
    engine: AsyncEngine | None = None,
    new_id: Callable[[], str] = new_id,
    plugins: Sequence[object] = (),
) -> FastAPI:
    """`engine` and `new_id` are for tests: without them it is each model's own, and llm's ids. `plugins` come
    on top of those that are installed (`hookspecs`)."""
    settings = settings or Settings.for_this_process()
    plugin = PluginSettings.from_env().with_engine(settings.engine).with_keepalive(IDLE)
    known = model_entries(settings.model, read_aliases(), bindings=read_bindings())
    engines = Engines(plugin, known)
    others = llm.get_models_with_aliases() if settings.all_models else ()
    server = ProxyState(
        settings,
        plugin,
        ModelNames(known, settings.aliases, others),
        (lambda tag: engine) if engine else engines.engine_for,
        engines.bound_model,
        Queue(settings.max_concurrency, settings.queue_size),
        LogWriter(settings.database),
        LogReader(settings.database),
        new_id,
        Plugins(plugins),
        user_dir() / "logs-off",
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await server.log_writer.open()
        yield
        await app.state.backgrounds.close()
        await engines.aclose()
        await server.log_writer.close()
        server.log_reader.close()

    app = FastAPI(
        title="llm-gpt-oss",
        lifespan=lifespan,
        # The pages that FastAPI makes of these load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        middleware=list(_middleware(settings)),
        exception_handlers={
            ApiError: handle_error,
            llm.ModelError: handle_error,
            RecursionError: handle_error,
            RequestValidationError: handle_validation_error,
            HTTPException: handle_http_exception,
        },
    )
    app.state.server = server
    app.state.probe = health.Probe(server)
    app.state.backgrounds = Backgrounds(server.log_writer.folder)
    app.state.locks = ConversationLocks()
    for module in (
        chat,
        stored_routes,
        responses,
        input_tokens,
        compact,
        websocket,
        conversations,
        completions,
        embeddings,
        ollama_api,
        models,
        health,
    ):
        app.include_router(module.router)
    server.plugins.register_routes(app)
    return app


def _middleware(settings: Settings) -> Iterator[Middleware]:
    "The outermost first."
    yield Middleware(ResponseHeaders)
    yield Middleware(
        TrustedHosts,
        names={settings.host},
        origins=settings.cors_origins,
        anyone=settings.allow_unauthenticated,
    )
    if settings.cors_origins:
        yield Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
    yield Middleware(Auth, ring=KeyRing(settings.key_hash), open=settings.allow_unauthenticated)
