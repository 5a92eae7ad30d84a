"The address of a server, with everything that the HTTP client needs to know about it."

from __future__ import annotations

from dataclasses import dataclass

from ...catalog.binding import BoundModel
from ...errors import GptOssError
from ...settings import ServerAddress, read_headers, read_url
from .api import OPENAI_STYLE, ServerApi

REMEDY = "Start it, or add the model with another address."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that can be called.

    `name` and `remedy` are for error messages: what people call the server, and what to type if it cannot be
    reached. `read_timeout` is how many seconds the server may be silent. `keepalive` is how many seconds an
    unused connection of the async client stays open. With 0 it serves one request: on loopback that is nearly
    free, and no unused connection is left when the server restarts, or when an event loop has ended.
    """

    name: str
    server: ServerAddress
    read_timeout: float
    remedy: str
    api: ServerApi = OPENAI_STYLE
    keepalive: float = 0


def model_endpoint(name: str, model: BoundModel, key: str | None) -> Endpoint:
    """Return the server that the model was added with.

    Raises GptOssError if its address or headers cannot be used.
    """
    url = model.engine_options.get("url")
    if not isinstance(url, str):
        raise GptOssError(
            f"The model {model.tag} has no address of a server for the engine {model.engine}.",
            remedy=f"Type `llm gpt-oss models add {model.tag} --{model.engine} URL`, or use another engine.",
        )
    headers = read_headers("\n".join(map(str, model.engine_options.get("headers") or ())), "headers")
    return Endpoint(name, read_url(url, headers).with_key(key), model.settings.read_timeout, REMEDY)


def server_model_name(model: BoundModel) -> str | None:
    "Return the name that the server has for the model, if it was added with one."
    name = model.engine_options.get("model")
    return name if isinstance(name, str) else None


def display_url(model: BoundModel) -> str:
    "Return the model's address for display, without the password that it may contain."
    url = model.engine_options.get("url")
    if url is None:
        return "an unknown address"
    try:
        return read_url(str(url)).url
    except GptOssError:
        return "an address that cannot be used"
