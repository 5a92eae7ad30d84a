"""The fields for which Ollama loads a model again if they differ from those of the request before.

See `needsReload` in Ollama's server/sched.go. If requests for a model had different ones, each program would
wait while the model is loaded, and lose the cache of its prompt. So all have the same ones, unless a setting
lets clients choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE
from llm_gpt_oss.catalog.tags import same_model
from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.ollama.family import is_official

from ...http.errors import ApiError
from ...state import ProxyState

GENERATING = ("chat", "generate")
# `Runner` in Ollama's api/types.go.
LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")


def unify_load_options(data: Mapping[str, Any], state: ProxyState, name: str) -> tuple[Json, list[str]]:
    """Return a request for `/api/NAME` with the same options of loading as others for its model.

    Also return the paths of the fields that the client sent in vain. Models that only Ollama knows have the
    options that Ollama gives them. Those of the server have the ones of the rest of this API.
    """
    allowed, num_ctx = state.settings.allow_load_options, state.settings.num_ctx
    unified, ignored = (dict(data), []) if allowed else _without_load_options(data, num_ctx)
    if name not in GENERATING or not _is_served(str(data.get("model")), state):
        return unified, ignored
    shift = data.get("shift")
    if shift is None or not allowed:
        unified["shift"] = False
        ignored += ["shift"] * bool(shift)
    options = unified.get("options") or {}
    if num_ctx is not None and isinstance(options, dict) and options.get("num_ctx") is None:
        unified["options"] = {**options, "num_ctx": num_ctx}
    return unified, ignored


def _without_load_options(data: Mapping[str, Any], num_ctx: int | None) -> tuple[Json, list[str]]:
    "Return a request without options of loading, and the paths of those that it had. `num_ctx` is no change."
    options = data.get("options")
    if not isinstance(options, dict):
        return dict(data), []
    chosen = {name for name in LOAD_OPTIONS if options.get(name) is not None}
    if options.get("num_ctx") == num_ctx:
        chosen.discard("num_ctx")
    remaining = {name: value for name, value in options.items() if name not in chosen}
    ignored = [f"options.{name}" for name in options if name in chosen]
    return ({**data, "options": remaining} if chosen else dict(data)), ignored


def _is_served(tag: str, state: ProxyState) -> bool:
    "Whether the server itself sends requests for this tag of Ollama."
    try:
        model = state.model_names.resolve(tag)
    except ApiError:
        return False
    if model.other or state.bound_model(model.tag).engine != DEFAULT_ENGINE:
        return False
    # Ollama's `gpt-oss` usually has the same file as `gpt-oss:20b`, which the name stands for here.
    return is_official(tag) or same_model(model.tag, tag)
