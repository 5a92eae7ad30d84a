"A server that a model was added with: `url`, `headers`, and the name that the server has for the model."

from __future__ import annotations

from ...catalog.binding import BoundModel
from ...errors import GptOssError
from ...settings import read_headers, read_url
from .connection import Endpoint

REMEDY = "Start it, or add the model with another address."


def model_endpoint(name: str, model: BoundModel, key: str | None) -> Endpoint:
    "GptOssError if the model has no address, or what it has cannot be used."
    url = model.engine_options.get("url")
    if not isinstance(url, str):
        raise GptOssError(
            f"Nobody said where {model.tag} is served on {model.engine}.",
            remedy=f"Type `llm gpt-oss models add {model.tag} --{model.engine} URL`, or take another engine.",
        )
    headers = read_headers("\n".join(map(str, model.engine_options.get("headers") or ())), "headers")
    return Endpoint(name, read_url(url, headers).with_key(key), model.settings.read_timeout, REMEDY)


def server_model_name(model: BoundModel) -> str | None:
    name = model.engine_options.get("model")
    return name if isinstance(name, str) else None


def display_url(model: BoundModel) -> str:
    "The address for people, without the password that it may hold."
    url = model.engine_options.get("url")
    if url is None:
        return "an unknown address"
    try:
        return read_url(str(url)).url
    except GptOssError:
        return "an address that cannot be used"
