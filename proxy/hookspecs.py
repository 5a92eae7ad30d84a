"""Hooks for plugins of the proxy, in the manner of Datasette.

A plugin is a module or any other object whose hook functions are marked with `@hookimpl`. An entry point of
the group `gpt_oss_proxy` names it:

    [project.entry-points.gpt_oss_proxy]
    greeting = "my_package.greeting"

A function may leave out arguments that it does not need. All hooks but `register_routes` may be `async`. If a
hook fails, the server logs an error that names it. It continues without it, except for `actor_from_request`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

import pluggy
from fastapi import FastAPI, Request

from .generation import GenerationRequest
from .http.errors import NO_RETRY, SERVER, ApiError

GROUP = "gpt_oss_proxy"
UNNAMED = "A plugin could not tell who you are. The server's own output shows the reason."

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

logger = logging.getLogger(__name__)


class ProxyHookSpecs:
    "The hooks that a plugin can implement."

    @hookspec
    def register_routes(self, app: FastAPI) -> None:
        """Add routes, once, when the app is created: `app.get("/x")(function)` or
        `app.include_router(router)`.

        The routes are protected by the same keys and trusted hosts as the built-in ones. If two have the same
        path, the built-in route wins. A GET must not change anything: without keys, any web page can request
        it.
        """

    @hookspec
    def prepare_request(self, generation: GenerationRequest, request: Request) -> GenerationRequest | None:
        """Look at a generation request before the model gets it, and change or refuse it.

        Return another request to change it (`dataclasses.replace`), or None to leave it as it is. Raise
        `proxy.http.errors.ApiError` to refuse it: the client gets that error, and the server logs a line.

        The hook is called once for each model call, so `n` times if a client wants `n` choices. It is called
        before the turn is logged and before the model's name is resolved. Each plugin gets the request that
        the plugin before it returned.
        """

    @hookspec
    def actor_from_request(self, request: Request) -> str | None:
        """Return the name of the client, or None to leave that to the next plugin.

        If no plugin returns a name, the client has that of its key, followed by a number. The name is logged,
        and decides which earlier turns the client can see and continue. The hook is called once for each HTTP
        request.

        Raise `proxy.http.errors.ApiError` to refuse the client. If the hook fails in another way, the client
        is refused with a status 500: without a name, a client of this machine could see everything.
        """

    @hookspec
    def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        """Do something after a turn was logged. `turn_id` is its id in llm's log.

        `status` is the HTTP status of the answer: 200 if it succeeded, and 499 if the client disconnected. A
        streamed answer that failed has the status that fits its error. The client waits for this hook, so it
        should be quick.
        """


@cache
def installed_plugins() -> Sequence[tuple[str, object]]:
    "The installed plugins by name. The first call takes milliseconds to search entry points."
    manager = pluggy.PluginManager(GROUP)
    manager.load_setuptools_entrypoints(GROUP)
    return manager.list_name_plugin()


class Plugins:
    "The installed plugins, and `more` plugins in addition to them."

    def __init__(self, more: Sequence[object] = ()) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(ProxyHookSpecs)
        for name, plugin in installed_plugins():
            self._manager.register(plugin, name)
        for plugin in more:
            self._manager.register(plugin)

    def register_routes(self, app: FastAPI) -> None:
        for impl in self._impls("register_routes"):
            try:
                impl.function(*_arguments(impl, {"app": app}))
            except Exception:
                _log_failure(impl)

    async def prepare_request(self, generation: GenerationRequest, request: Request) -> GenerationRequest:
        for impl in self._impls("prepare_request"):
            try:
                generation = await _call(impl, {"generation": generation, "request": request}) or generation
            except ApiError:
                raise
            except Exception:
                _log_failure(impl)
        return generation

    async def actor_of(self, request: Request) -> str | None:
        """Return the client's name: the first that a plugin returns, or else the actor of its key.

        Raises ApiError if a plugin refuses the client, or fails.
        """
        for impl in self._impls("actor_from_request"):
            try:
                actor = await _call(impl, {"request": request})
            except ApiError:
                raise
            except Exception as problem:
                _log_failure(impl)
                raise ApiError(500, UNNAMED, SERVER, headers=NO_RETRY) from problem
            if actor is not None:
                return str(actor)
        key_actor: str | None = getattr(request.state, "actor", None)
        return key_actor

    async def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        values = {"turn_id": turn_id, "generation": generation, "status": status, "error": error}
        for impl in self._impls("turn_logged"):
            try:
                await _call(impl, values)
            except Exception:
                _log_failure(impl)

    def _impls(self, name: str) -> Sequence[pluggy.HookImpl]:
        """Return the implementations in pluggy's order, the last registered first.

        They are called one by one, since pluggy would call none after one that fails.
        """
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        return caller.get_hookimpls()[::-1]


async def _call(impl: pluggy.HookImpl, values: dict[str, Any]) -> Any:
    result: Any = impl.function(*_arguments(impl, values))
    return await result if inspect.isawaitable(result) else result


def _arguments(impl: pluggy.HookImpl, values: dict[str, Any]) -> list[Any]:
    return [values[name] for name in impl.argnames]


def _log_failure(impl: pluggy.HookImpl) -> None:
    logger.exception("The hook %s of the plugin %s failed", impl.function.__name__, impl.plugin_name)
