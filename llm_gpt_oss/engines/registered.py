"The engines that there are, by name."

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache

import pluggy

from ..errors import GptOssError
from ..settings import ENGINE
from . import builtin
from .hookspecs import GROUP, EngineHookSpecs, EngineProvider

logger = logging.getLogger(__name__)


def load_providers(more: Sequence[object] = ()) -> Mapping[str, EngineProvider]:
    """Ours, those that are installed, and those of the plugins `more`. A plugin that fails is named and left
    out."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(EngineHookSpecs)
    found: dict[str, EngineProvider] = {}
    manager.register(builtin)
    _collect(manager, found)
    manager.unregister(builtin)
    manager.load_setuptools_entrypoints(GROUP)
    for plugin in more:
        manager.register(plugin)
    _collect(manager, found)
    return found


@cache
def installed_providers() -> Mapping[str, EngineProvider]:
    return load_providers()


def get_provider(name: str, among: Mapping[str, EngineProvider] | None = None) -> EngineProvider:
    "GptOssError for a name that no engine has."
    # To look for plugins takes milliseconds, which our own engines need not wait for.
    ours = {each.name: each for each in builtin.PROVIDERS}
    if among is None and name in ours:
        return ours[name]
    there = installed_providers() if among is None else among
    if name in there:
        return there[name]
    raise GptOssError(
        f"There is no engine called {name!r}.",
        remedy=f"There are {', '.join(there)}: write one of them, or `unset {ENGINE}`.",
    )


def _collect(manager: pluggy.PluginManager, found: dict[str, EngineProvider]) -> None:
    "One by one: pluggy stops where one fails."
    for impl in manager.hook.register_engines.get_hookimpls()[::-1]:
        try:
            impl.function(lambda kind: found.setdefault(kind.name, kind))
        except Exception:
            logger.exception("The plugin %s could not register its engines", impl.plugin_name)
