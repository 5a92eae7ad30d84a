"Ollama's names for models: `[host/][namespace/]model[:tag]`."

from __future__ import annotations

import re

from ..errors import BadRequest
from ..settings import MODEL, Settings, setting_error

# The rules of Ollama's types/model/name.go. They are strings, so that importing this module compiles nothing.
_MODEL = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"
_HOST = r"(?:https?://)?[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"
TAG_FORMS = "model, model:tag, namespace/model:tag or host/namespace/model:tag"
_TAG = rf"(?:(?:{_HOST}/)?{_NAMESPACE}/)?{_MODEL}(?::{_MODEL})?"


def is_tag(name: str) -> bool:
    "Whether Ollama accepts the name."
    return re.fullmatch(_TAG, name) is not None


def check_tag(tag: str, settings: Settings | None = None) -> str:
    """Return `tag` if Ollama accepts it as the name of a model.

    Otherwise raise BadRequest, or a GptOssError about LOCAL_LLM_MODEL if the tag is that variable's value.
    """
    if is_tag(tag):
        return tag
    reason = f"{tag!r} is not a model name"
    if settings and tag == settings.model:
        raise setting_error(MODEL, reason, f"Write it like {TAG_FORMS}, or `unset {MODEL}`.")
    raise BadRequest(f"{reason}.", param="model", remedy=f"Write it like {TAG_FORMS}.")


def same_model(tag: str, other: str) -> bool:
    "Whether both tags name the same model. Case does not matter, and `gpt-oss` means `gpt-oss:latest`."
    return _full_name(tag) == _full_name(other)


def _full_name(tag: str) -> tuple[str, ...]:
    "Host, namespace, model and tag, with Ollama's defaults for the parts that are missing."
    *path, name = tag.casefold().rpartition("://")[2].split("/")
    model, _, version = name.partition(":")
    return (*("registry.ollama.ai", "library")[: 2 - len(path)], *path, model, version or "latest")
