"""The models that this plugin registers: built-in ones, LOCAL_LLM_MODEL, and those of the user's file.

The file, `gpt-oss-models.json` in LLM's user directory, is a JSON object. Its keys are tags. A value is the
list of the model's aliases, or, if the model is bound to an engine, an object `{"aliases": […], "engine":
NAME, …}` with the options of that engine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import llm

from ..errors import BadRequest, GptOssError
from .json_file import edit_json
from .tags import check_tag

BUILT_IN = {
    "gpt-oss:20b": ("gpt-oss", "gpt-oss-20b"),
    "gpt-oss:120b": ("gpt-oss-120b",),
}
# The model of LOCAL_LLM_MODEL takes over this alias.
DEFAULT_ALIAS = "gpt-oss"

# All other keys of a model's object are options of its engine.
OWN_KEYS = {"aliases", "engine"}

Aliases = Mapping[str, Iterable[str]]
# The content of the file: tag to object.
Models = dict[str, dict[str, Any]]


class EngineBinding(NamedTuple):
    """The engine that a model is bound to, None if it is bound to none, and the options of that engine.

    The keys of `engine_options` are those of `EngineOption`, and "label", a text to show above answers.
    """

    engine: str | None = None
    engine_options: Mapping[str, Any] = MappingProxyType({})


UNBOUND = EngineBinding()


class ModelEntry(NamedTuple):
    "A model to register."

    tag: str
    aliases: tuple[str, ...]
    binding: EngineBinding = UNBOUND


def model_entries(
    local_model: str | None,
    file_aliases: Aliases,
    taken_names: Collection[str] = (),
    bindings: Mapping[str, EngineBinding] = MappingProxyType({}),
) -> list[ModelEntry]:
    """Combine the built-in models, those of the file (tag to aliases), and that of LOCAL_LLM_MODEL.

    Each tag appears in the result once, and each alias at most once. If several models claim an alias, the
    last of them in the order above gets it. An alias is left out if it is also a tag, or if it is in
    `taken_names`, because LLM has another model with that name.
    """
    claims = [
        *BUILT_IN.items(),
        *file_aliases.items(),
        *([(local_model, (DEFAULT_ALIAS,))] if local_model else []),
    ]
    owner = {alias: tag for tag, aliases in claims for alias in aliases}
    tags = dict.fromkeys(tag for tag, _ in claims)
    free = [alias for alias in owner if alias not in tags and alias not in taken_names]
    return [
        ModelEntry(tag, tuple(alias for alias in free if owner[alias] == tag), bindings.get(tag, UNBOUND))
        for tag in tags
    ]


def resolve_tag(name: str | None, entries: Iterable[ModelEntry]) -> str:
    """Return the tag that a tag or an alias stands for. None stands for the model of `llm -m gpt-oss`.

    An unknown name is returned as it is if it can be a tag; otherwise it raises BadRequest.
    """
    alias = name or DEFAULT_ALIAS
    # LLM runs the last of several models with the same name.
    tags = [entry.tag for entry in entries if alias in (entry.tag, *entry.aliases)]
    if tags:
        return tags[-1]
    return check_tag(name) if name else next(iter(BUILT_IN))


def is_foreign_model(model: llm.Model) -> bool:
    "Whether another plugin owns this model. We replace models of llm-ollama, and any called gpt-oss."
    plugin = type(model).__module__.partition(".")[0]
    return plugin not in ("llm_gpt_oss", "llm_ollama") and not model.model_id.startswith("gpt-oss")


def models_to_register(
    local_model: str | None, others: Iterable[llm.models.ModelWithAliases]
) -> list[ModelEntry]:
    """Return the models to register after `others`, the models of other plugins. It never raises; it warns.

    LLM runs the model that was registered last. So names that the user or another plugin gave to other models
    are left out. Models that are called gpt-oss are replaced: llm-ollama 0.15 registers the bare tags of
    Ollama (0.19 prefixes them with `ollama/`).
    """
    others = [*others]
    foreign_tags = {other.model.model_id for other in others if is_foreign_model(other.model)}
    taken_names = {
        name
        for other in others
        if not other.model.model_id.startswith("gpt-oss")
        for name in (other.model.model_id, *other.aliases)
    }
    try:
        models = _read_file()
    except GptOssError as problem:
        _warn_once(str(problem))
        models = {}
    for tag in foreign_tags.intersection(models):
        del models[tag]
        _warn_once(f"{tag} stays another plugin's model. Type `llm gpt-oss models remove {tag}`.")
    if local_model in foreign_tags:
        _warn_once(
            f"LOCAL_LLM_MODEL is not used: {local_model} is another plugin's model. "
            "Type `unset LOCAL_LLM_MODEL`."
        )
        local_model = None
    return model_entries(local_model, _aliases(models), taken_names, _bindings(models))


@cache
def _warn_once(problem: str) -> None:
    # LLM registers models several times during one command.
    sys.stderr.write(f"Warning: {problem}\n")


def models_path() -> Path:
    "The path of the user's file, which need not exist."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder / "gpt-oss-models.json"


def read_aliases() -> dict[str, list[str]]:
    "The tags in the file and their aliases, in the order in which they were added."
    return _aliases(_read_file())


def read_bindings() -> dict[str, EngineBinding]:
    "Return the engine binding of each tag in the file that has one."
    return _bindings(_read_file())


def _aliases(models: Models) -> dict[str, list[str]]:
    return {tag: model["aliases"] for tag, model in models.items()}


def _bindings(models: Models) -> dict[str, EngineBinding]:
    return {
        tag: EngineBinding(
            model["engine"], {key: value for key, value in model.items() if key not in OWN_KEYS}
        )
        for tag, model in models.items()
        if "engine" in model
    }


def _read_file() -> Models:
    "Read the file. Lists of aliases become objects. Raise GptOssError if it cannot be used."
    try:
        models = json.loads(models_path().read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise _file_error(f"it cannot be read ({problem.strerror})") from problem
    except ValueError as problem:
        raise _file_error(f"it is not JSON ({problem})") from problem
    if not isinstance(models, dict):
        raise _file_error("it is not an object of tags")
    return {tag: _model_object(tag, value) for tag, value in models.items()}


def _model_object(tag: str, value: object) -> dict[str, Any]:
    model = value if isinstance(value, dict) else {"aliases": value}
    aliases = model.setdefault("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise _file_error(f"{tag!r} should have a list of aliases")
    if not isinstance(model.get("engine", ""), str):
        raise _file_error(f"{tag!r} should have the name of an engine")
    return model


def _file_error(reason: str) -> GptOssError:
    return GptOssError(
        f"{models_path()}, the file of added models, cannot be used: {reason}.",
        remedy="Repair it, or delete it and type `llm gpt-oss models add TAG` for each.",
    )


def add(tag: str, aliases: Iterable[str] = (), binding: EngineBinding | None = None) -> None:
    """Add the tag to the file, or add aliases to it. An alias moves here from another tag of the file.

    `binding` replaces the binding that the tag had; None keeps it. Raise BadRequest for a tag or an alias
    that is invalid, and GptOssError if the file cannot be used.
    """
    check_tag(tag)
    new = [_checked_alias(alias) for alias in aliases]
    with _edit_file() as models:
        for model in models.values():
            model["aliases"] = [alias for alias in model["aliases"] if alias not in new]
        old = models.get(tag, {"aliases": []})
        properties = old if binding is None else {"engine": binding.engine, **binding.engine_options}
        models[tag] = {**properties, "aliases": [*old["aliases"], *new]}


def remove(tag: str) -> None:
    "Remove the tag and its aliases from the file. Raise BadRequest if it is not there."
    with _edit_file() as models:
        if tag not in models:
            remedy = f"The added models are: {', '.join(models)}." if models else "No models were added."
            raise BadRequest(f"{tag} is not among the models that were added.", param="model", remedy=remedy)
        del models[tag]


def _checked_alias(alias: str) -> str:
    if alias and not alias.startswith("-") and not any(char.isspace() for char in alias):
        return alias
    raise BadRequest(f"{alias!r} cannot be an alias: it must work after `llm -m`.", param="alias")


@contextmanager
def _edit_file() -> Iterator[Models]:
    "Read the file for changes, and write it at the end."
    with edit_json(models_path(), _read_file) as models:
        yield models
        # Models without an engine stay readable for versions of this plugin that only knew lists of aliases.
        for tag, model in models.items():
            models[tag] = model if "engine" in model else model["aliases"]
