"""Which models llm gets from this plugin: built in, LOCAL_LLM_MODEL, and those in the user's own file.

That file, `gpt-oss-models.json` in llm's user directory, is one JSON object: tag to list of aliases, or, for
a model that is bound to an engine, to `{"aliases": […], "engine": NAME, …}` with what that engine has to know
of it.
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
# What LOCAL_LLM_MODEL moves to its own tag.
DEFAULT_ALIAS = "gpt-oss"

Added = Mapping[str, Iterable[str]]

# What is said of a model in the file that is not for its engine.
OURS = {"aliases", "engine"}


class EngineBinding(NamedTuple):
    """The engine that a model is bound to (None: to none), and what that engine has to know of it: a file, an
    address."""

    engine: str | None = None
    engine_options: Mapping[str, Any] = MappingProxyType({})


UNBOUND = EngineBinding()


class ModelEntry(NamedTuple):
    "One model to register."

    tag: str
    aliases: tuple[str, ...]
    binding: EngineBinding = UNBOUND


def model_entries(
    local: str | None,
    added: Added,
    taken: Collection[str] = (),
    places: Mapping[str, EngineBinding] = MappingProxyType({}),
) -> list[ModelEntry]:
    """Every model once, every name once.

    Of two that claim an alias the later has it: built in, then added, then `local`. A tag is stronger than an
    alias, and so is a name that llm already has for something else (`taken`).
    """
    claims = [*BUILT_IN.items(), *added.items(), *([(local, (DEFAULT_ALIAS,))] if local else [])]
    owner = {alias: tag for tag, aliases in claims for alias in aliases}
    tags = dict.fromkeys(tag for tag, _ in claims)
    free = [alias for alias in owner if alias not in tags and alias not in taken]
    return [
        ModelEntry(tag, tuple(alias for alias in free if owner[alias] == tag), places.get(tag, UNBOUND))
        for tag in tags
    ]


def resolve_tag(name: str | None, known: Iterable[ModelEntry]) -> str:
    "The tag that a tag or an alias means; without a name, the one that `llm -m gpt-oss` runs."
    wanted = name or DEFAULT_ALIAS
    # Of two models under one name llm takes the later, and so does this.
    found = [entry.tag for entry in known if wanted in (entry.tag, *entry.aliases)]
    if found:
        return found[-1]
    return check_tag(name) if name else next(iter(BUILT_IN))


def is_foreign_model(model: llm.Model) -> bool:
    "Whether it is another plugin's, and not a model of Ollama's that we serve in the place of that plugin."
    plugin = type(model).__module__.partition(".")[0]
    return plugin not in ("llm_gpt_oss", "llm_ollama") and not model.model_id.startswith("gpt-oss")


def models_to_register(local: str | None, others: Iterable[llm.models.ModelWithAliases]) -> list[ModelEntry]:
    """What the hook registers, after `others`. Never raises, whatever the file holds.

    Of two models under one name llm takes the one registered last, so ours would take even an alias that the
    user gave to another model (`llm aliases set`): those stay. Only what is gpt-oss by its own id yields, as
    the models of llm-ollama 0.15, which registers the bare tags (0.19 puts `ollama/` before them). A tag that
    is another plugin's model is left to it, with a warning.
    """
    others = [*others]
    foreign = {other.model.model_id for other in others if is_foreign_model(other.model)}
    taken = {
        name
        for other in others
        if not other.model.model_id.startswith("gpt-oss")
        for name in (other.model.model_id, *other.aliases)
    }
    try:
        stored = _stored()
    except GptOssError as problem:
        _complain(str(problem))
        stored = {}
    for tag in foreign.intersection(stored):
        del stored[tag]
        _complain(f"{tag} stays another plugin's model. Type `llm gpt-oss models remove {tag}`.")
    if local in foreign:
        _complain(
            f"LOCAL_LLM_MODEL is not used: {local} is another plugin's model. Type `unset LOCAL_LLM_MODEL`."
        )
        local = None
    return model_entries(local, _aliases(stored), taken, _places(stored))


@cache
def _complain(problem: str) -> None:
    # Once: llm asks for the models several times while it runs one prompt.
    sys.stderr.write(f"Warning: {problem}\n")


def models_path() -> Path:
    "The user's file. It need not exist."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder / "gpt-oss-models.json"


def read_aliases() -> dict[str, list[str]]:
    "Tag to aliases, in the order in which they were added."
    return _aliases(_stored())


def read_bindings() -> dict[str, EngineBinding]:
    "Where each tag runs that is bound to an engine."
    return _places(_stored())


Stored = dict[str, Any]


def _aliases(stored: Stored) -> dict[str, list[str]]:
    return {tag: about["aliases"] for tag, about in stored.items()}


def _places(stored: Stored) -> dict[str, EngineBinding]:
    return {
        tag: EngineBinding(about["engine"], {name: fact for name, fact in about.items() if name not in OURS})
        for tag, about in stored.items()
        if "engine" in about
    }


def _stored() -> Stored:
    "The file: tag to what it says of it, a bare list of aliases as an object too."
    try:
        models = json.loads(models_path().read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise GptOssError(f"{models_path()} cannot be read: {problem.strerror}.") from problem
    except ValueError as problem:
        raise _broken(f"it is not JSON ({problem})") from problem
    if not isinstance(models, dict):
        raise _broken("it is not an object of tags")
    return {tag: _about(tag, about) for tag, about in models.items()}


def _about(tag: str, about: object) -> dict[str, Any]:
    if not isinstance(about, dict):
        about = {"aliases": about}
    aliases = about.setdefault("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise _broken(f"{tag!r} should have a list of aliases")
    if not isinstance(about.get("engine", ""), str):
        raise _broken(f"{tag!r} should have the name of an engine")
    return about


def _broken(why: str) -> GptOssError:
    return GptOssError(
        f"{models_path()} holds the models that were added, and cannot be used: {why}.",
        remedy="Repair it, or delete it and type `llm gpt-oss models add TAG` for each.",
    )


def add(tag: str, aliases: Iterable[str] = (), place: EngineBinding | None = None) -> None:
    """Remember the tag, and these aliases beside any that it has. An alias moves here from another added tag.

    `place` takes the place of the one that the tag had; None leaves it there.
    """
    new = [_checked_alias(alias) for alias in aliases]
    with _changing() as models:
        for about in models.values():
            about["aliases"] = [alias for alias in about["aliases"] if alias not in new]
        before = models.get(check_tag(tag), {"aliases": []})
        bound = before if place is None else {"engine": place.engine, **place.engine_options}
        models[tag] = {**bound, "aliases": [*before["aliases"], *new]}


def remove(tag: str) -> None:
    "Forget the tag and its aliases, or BadRequest if it was never added."
    with _changing() as models:
        if tag not in models:
            known = f"Added are: {', '.join(models)}." if models else "None has been added."
            raise BadRequest(f"{tag} is not among the models that were added.", param="model", remedy=known)
        del models[tag]


def _checked_alias(alias: str) -> str:
    if alias and not alias.startswith("-") and not any(char.isspace() for char in alias):
        return alias
    raise BadRequest(
        f"{alias!r} cannot be an alias: it is a word that is typed after `llm -m`.", param="alias"
    )


@contextmanager
def _changing() -> Iterator[Stored]:
    with edit_json(models_path(), _stored) as models:
        yield models
        # As older versions of this plugin read it, where they could use what it says.
        for tag, about in models.items():
            models[tag] = about if "engine" in about else about["aliases"]
