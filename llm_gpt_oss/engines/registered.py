"The engines that there are, by name."

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache

import pluggy

from ..errors import GptOssError
from ..settings import ENGINE
from . import builtin
from .hookspecs import GROUP, Kind, Specs

logger = logging.getLogger(__name__)


def kinds(more: Sequence[object] = ()) -> Mapping[str, Kind]:
    """Ours, those that are installed, and those of the plugins `more`. A plugin that fails is named and left
    out."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Specs)
    found: dict[str, Kind] = {}
    manager.register(builtin)
    _collect(manager, found)
    manager.unregister(builtin)
    manager.load_setuptools_entrypoints(GROUP)
    for plugin in more:
        manager.register(plugin)
    _collect(manager, found)
    return found


@cache
def installed() -> Mapping[str, Kind]:
    return kinds()


def kind(name: str, among: Mapping[str, Kind] | None = None) -> Kind:
    "GptOssError for a name that no engine has."
    # To look for plugins takes milliseconds, which our own engines need not wait for.
    ours = {each.name: each for each in builtin.KINDS}
    if among is None and name in ours:
        return ours[name]
    there = installed() if among is None else among
    if name in there:
        return there[name]
    raise GptOssError(
        f"There is no engine called {name!r}.",
        remedy=f"There are {', '.join(there)}: write one of them, or `unset {ENGINE}`.",
    )


def _collect(manager: pluggy.PluginManager, found: dict[str, Kind]) -> None:
    "One by one: pluggy stops where one fails."
    for impl in manager.hook.register_engines.get_hookimpls()[::-1]:
        try:
            impl.function(lambda kind: found.setdefault(kind.name, kind))
        except Exception:
            logger.exception("The plugin %s could not register its engines", impl.plugin_name)
