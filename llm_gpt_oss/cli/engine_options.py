"The options of `llm gpt-oss models add` that engines declare."

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from ..catalog.models_file import EngineBinding
from ..engines.hookspecs import EngineOption, EngineProvider
from ..engines.providers import get_provider, installed_providers

# Flag to the engines that take it, in the order of the engines.
Flags = dict[str, dict[str, EngineOption]]


class EngineOptionsCommand(click.Command):
    """A command that also has the options of all engines.

    It searches for engines when its arguments are parsed or its help is shown, not when it is imported.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        # click calls this several times for one command line, and compares the parameters by identity.
        if __name__ not in ctx.meta:
            ctx.meta[__name__] = [_parameter(*item) for item in _flags(installed_providers()).items()]
        own = len(self.params)
        return [*params[:own], *ctx.meta[__name__], *params[own:]]


def engine_binding(engine: str | None, label: str | None, values: Mapping[str, Any]) -> EngineBinding | None:
    """Return the engine binding that the command's options describe, or None if none of them was given.

    `engine` and `label` are the values of `--engine` and `--label`. `values` are the values of the engines'
    options by parameter name.

    Raise UsageError if the options do not select exactly one engine, or if that engine does not take all of
    them.
    """
    providers = installed_providers()
    flags = _flags(providers)
    flag_values = {flag: value for flag in flags if (value := values[_name(flag)]) not in (None, ())}
    if not engine and not label and not flag_values:
        return None
    provider = get_provider(engine or _selected_engine(flag_values, flags), providers)
    options = {option.flag: option for option in provider.options}
    for flag in flag_values:
        if flag not in options:
            raise click.UsageError(f"The engine {provider.name} does not take {flag}.")
    engine_options = {
        options[flag].key: list(value) if isinstance(value, tuple) else value
        for flag, value in flag_values.items()
    }
    if label:
        engine_options["label"] = label
    return EngineBinding(provider.name, engine_options)


def _flags(providers: Mapping[str, EngineProvider]) -> Flags:
    flags: Flags = {}
    for name, provider in providers.items():
        for option in provider.options:
            flags.setdefault(option.flag, {})[name] = option
    return flags


def _parameter(flag: str, options: Mapping[str, EngineOption]) -> click.Option:
    "`options` are the declarations of this flag by engine."
    first = next(iter(options.values()))
    return click.Option(
        [flag, _name(flag)],
        type=first.type,
        metavar=first.metavar,
        multiple=first.multiple,
        help=f"{', '.join(options)}: {first.help}",
    )


def _name(flag: str) -> str:
    "Return the parameter's name. Its prefix avoids collisions with the command's own parameters."
    return "engine_" + flag.lstrip("-").replace("-", "_")


def _selected_engine(names: Iterable[str], flags: Flags) -> str:
    "The only engine that these flags select. Raise UsageError if there is none, or several."
    selected_engines, implied_engines = set(), set()
    for flag in names:
        engine, option = next(iter(flags[flag].items()))
        if option.selects_engine:
            selected_engines.add(engine)
        elif len(flags[flag]) == 1:
            implied_engines.add(engine)
    if len(engines := selected_engines or implied_engines) == 1:
        return engines.pop()
    *others, last = (flag for flag, options in flags.items() if next(iter(options.values())).selects_engine)
    raise click.UsageError(
        f"A model runs on one engine: type {', '.join(others)} or {last}. Or name an engine with --engine."
    )
