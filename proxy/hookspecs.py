"""Hooks for plugins of the proxy, in the manner of Datasette.

A plugin is a module (or any object) with functions marked `@hookimpl`, found by the entry point group
`gpt_oss_proxy`:

    [project.entry-points.gpt_oss_proxy]
    greeting = "my_package.greeting"

Each function names the arguments that it wants, and no others. All but `register_routes` may be `async`. A
hook that fails is named in the server's output and otherwise passed over: the answer goes on without it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pluggy
from fastapi import FastAPI, Request

from .generation import GenerationRequest
from .http.errors import ApiError

GROUP = "gpt_oss_proxy"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

logger = logging.getLogger(__name__)


class ProxyHookSpecs:
    "What a plugin can implement."

    @hookspec
    def register_routes(self, app: FastAPI) -> None:
        """Adds routes, once, when the app is made: `app.get("/x")(function)` or `app.include_router(router)`.

        They stand behind the same guard and keys as ours, and ours win where paths are equal.
        """

    @hookspec
    def prepare_request(self, generation: GenerationRequest, request: Request) -> GenerationRequest | None:
        """Looks at what the model is about to be asked. Returns another Ask to change it
        (`dataclasses.replace`) or None to leave it. Raises `proxy.http.errors.ApiError` to refuse it: the
        client gets that error, and the server's output a line.

        Called for each model call, so `n` times where a client wants `n` answers, before it is logged and
        before the model's name is looked up. Each plugin gets what the one before it made.
        """

    @hookspec
    def actor_from_request(self, request: Request) -> str | None:
        """Names who asks, for the log and for what earlier turns may be gone on with; None leaves it to the
        next plugin, and in the end to the name of the key that was sent."""

    @hookspec
    def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        """A turn is over and logged, under llm's id. `status` is what the client was or would be told: 200,
        499 where it left. What this does is waited for, so it should be quick."""


class Plugins:
    "Those that are installed, with `more` behind them."

    def __init__(self, more: Sequence[object] = ()) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(ProxyHookSpecs)
        self._manager.load_setuptools_entrypoints(GROUP)
        for plugin in more:
            self._manager.register(plugin)

    def register_routes(self, app: FastAPI) -> None:
        for impl in self._impls("register_routes"):
            try:
                impl.function(*_chosen(impl, {"app": app}))
            except Exception:
                _complain(impl)

    async def prepare_request(self, generation: GenerationRequest, request: Request) -> GenerationRequest:
        for impl in self._impls("prepare_request"):
            try:
                generation = await _called(impl, {"generation": generation, "request": request}) or generation
            except ApiError:
                raise
            except Exception:
                _complain(impl)
        return generation

    async def actor_of(self, request: Request) -> str | None:
        "Who asks, as a plugin says, or else the name of the key."
        async for named in self._results("actor_from_request", {"request": request}):
            if named is not None:
                return str(named)
        actor: str | None = getattr(request.state, "actor", None)
        return actor

    async def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        given = {"turn_id": turn_id, "generation": generation, "status": status, "error": error}
        async for _ in self._results("turn_logged", given):
            pass

    async def _results(self, name: str, given: dict[str, Any]) -> AsyncIterator[Any]:
        for impl in self._impls(name):
            try:
                result = await _called(impl, given)
            except Exception:
                _complain(impl)
            else:
                yield result

    def _impls(self, name: str) -> Sequence[pluggy.HookImpl]:
        "In pluggy's order, which calls the last one first. One by one: pluggy stops where one fails."
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        return caller.get_hookimpls()[::-1]


async def _called(impl: pluggy.HookImpl, given: dict[str, Any]) -> Any:
    result: Any = impl.function(*_chosen(impl, given))
    return await result if inspect.isawaitable(result) else result


def _chosen(impl: pluggy.HookImpl, given: dict[str, Any]) -> list[Any]:
    return [given[name] for name in impl.argnames]


def _complain(impl: pluggy.HookImpl) -> None:
    logger.exception("The hook %s of the plugin %s failed", impl.function.__name__, impl.plugin_name)
