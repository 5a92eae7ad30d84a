"""The fields for which Ollama loads a model again if they differ from those of the request before.

See `needsReload` in Ollama's server/sched.go. If only some requests for a model had them, each program would
wait while the model is loaded, and lose the cache of its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE
from llm_gpt_oss.catalog.tags import same_model
from llm_gpt_oss.engines.ollama.family import is_official

from ...http.errors import ApiError
from ...state import ProxyState


def missing_load_options(data: Mapping[str, Any], state: ProxyState) -> dict[str, Any]:
    """Return the fields that a request has to get, so that it has the same ones as the rest of this API.

    What the client sets stays as it is, and so do requests for models that only Ollama knows.
    """
    if not _is_served(str(data.get("model")), state):
        return {}
    missing: dict[str, Any] = {} if data.get("shift") is not None else {"shift": False}
    options, num_ctx = data.get("options") or {}, state.settings.num_ctx
    if num_ctx is not None and isinstance(options, dict) and options.get("num_ctx") is None:
        missing["options"] = {**options, "num_ctx": num_ctx}
    return missing


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
