"How Ollama names a model: `[host/][namespace/]model[:tag]`."

from __future__ import annotations

import re

from ..errors import BadRequest
from ..settings import MODEL, Settings, unusable

# As types/model/name.go has it. Strings, so that nothing is compiled before a tag is looked at.
_MODEL = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"
_HOST = r"(?:https?://)?[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"
TAG_FORMS = "model, model:tag, namespace/model:tag or host/namespace/model:tag"
_TAG = rf"(?:(?:{_HOST}/)?{_NAMESPACE}/)?{_MODEL}(?::{_MODEL})?"


def check_tag(tag: str, settings: Settings | None = None) -> str:
    """Return `tag` if Ollama could have a model of that name.

    Raises BadRequest if not, or GptOssError that names LOCAL_LLM_MODEL if the tag comes from there.
    """
    if re.fullmatch(_TAG, tag):
        return tag
    why = f"{tag!r} is no name of a model"
    if settings and tag == settings.model:
        raise unusable(MODEL, why, f"Write it as Ollama does: {TAG_FORMS}, or `unset {MODEL}`.")
    raise BadRequest(f"{why}.", param="model", remedy=f"Type it as Ollama does: {TAG_FORMS}.")


def same_model(one: str, other: str) -> bool:
    "Whether two spellings name one model: `gpt-oss` is `gpt-oss:latest`, and case does not count."
    return _whole(one) == _whole(other)


def _whole(tag: str) -> tuple[str, ...]:
    "Host, namespace, model and tag, with Ollama's defaults where the tag leaves them out."
    *path, name = tag.casefold().rpartition("://")[2].split("/")
    model, _, version = name.partition(":")
    return (*("registry.ollama.ai", "library")[: 2 - len(path)], *path, model, version or "latest")
