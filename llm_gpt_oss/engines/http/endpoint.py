"A server that a model was added with: `url`, `headers`, and the name that the server has for the model."

from __future__ import annotations

from ...catalog.binding import Hosted
from ...errors import GptOssError
from ...settings import read_headers, read_url
from .connection import Peer

REMEDY = "Start it, or add the model with another address."


def peer(name: str, model: Hosted, key: str | None) -> Peer:
    "GptOssError if the model has no address, or what it has cannot be used."
    url = model.facts.get("url")
    if not isinstance(url, str):
        raise GptOssError(
            f"Nobody said where {model.tag} is served on {model.engine}.",
            remedy=f"Type `llm gpt-oss models add {model.tag} --{model.engine} URL`, or take another engine.",
        )
    headers = read_headers("\n".join(map(str, model.facts.get("headers") or ())), "headers")
    return Peer(name, read_url(url, headers).with_key(key), model.settings.silence, REMEDY)


def served_as(model: Hosted) -> str | None:
    name = model.facts.get("model")
    return name if isinstance(name, str) else None


def shown(model: Hosted) -> str:
    "The address for people, without the password that it may hold."
    url = model.facts.get("url")
    if url is None:
        return "an unknown address"
    try:
        return read_url(str(url)).url
    except GptOssError:
        return "an address that cannot be used"
