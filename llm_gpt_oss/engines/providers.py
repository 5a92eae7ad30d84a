"Looks engine providers up by name: those of this plugin, and those that other packages register."

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


def load_providers(plugins: Sequence[object] = ()) -> Mapping[str, EngineProvider]:
    """Return the providers by name: the built-in ones, then those of installed packages and of `plugins`.

    If a plugin raises, the error is logged and the plugin is skipped.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(EngineHookSpecs)
    providers: dict[str, EngineProvider] = {}
    manager.register(builtin)
    _collect(manager, providers)
    manager.unregister(builtin)
    manager.load_setuptools_entrypoints(GROUP)
    for plugin in plugins:
        manager.register(plugin)
    _collect(manager, providers)
    return providers


@cache
def installed_providers() -> Mapping[str, EngineProvider]:
    "The built-in and installed providers by name. The first call takes milliseconds to search entry points."
    return load_providers()


def get_provider(name: str, providers: Mapping[str, EngineProvider] | None = None) -> EngineProvider:
    "Return the provider with this name, by default an installed one. Raise GptOssError if there is none."
    # Built-in engines do not wait for the search for entry points.
    builtin_providers = {provider.name: provider for provider in builtin.PROVIDERS}
    if providers is None and name in builtin_providers:
        return builtin_providers[name]
    providers = installed_providers() if providers is None else providers
    if name in providers:
        return providers[name]
    raise GptOssError(
        f"There is no engine called {name!r}.",
        remedy=f"Use one of {', '.join(providers)} for --engine or {ENGINE}.",
    )


def _collect(manager: pluggy.PluginManager, providers: dict[str, EngineProvider]) -> None:
    "Add the providers of each plugin that is registered with `manager`. Names that exist already are kept."
    # One plugin at a time: calling the hook would stop at the first plugin that raises.
    for impl in manager.hook.register_engines.get_hookimpls()[::-1]:
        try:
            impl.function(lambda provider: providers.setdefault(provider.name, provider))
        except Exception:
            logger.exception("The plugin %s could not register its engines", impl.plugin_name)
