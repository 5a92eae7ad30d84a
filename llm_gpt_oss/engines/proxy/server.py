"`llm gpt-oss serve` as the `CompletionServer` of an `HttpEngine`."

from __future__ import annotations

from dataclasses import replace

from ...catalog.binding import BoundModel
from ...catalog.models_file import DEFAULT_ALIAS
from ...completion import Completion, Json
from ..http.api import ServerApi
from ..http.endpoint import Endpoint, model_endpoint, server_model_name
from ..http.engine import CompletionStream, RequestPlan
from ..http.ndjson import NdjsonReader
from ..http.request import Request
from ..ollama.reader import GenerateReader
from ..ollama.requests import generate
from .errors import RULES, not_this_server

API = ServerApi(NdjsonReader, RULES, not_this_server)
SERVER_NAME = "The server"  # in error messages
REMEDY = (
    "Start it there with `llm gpt-oss serve --host 0.0.0.0`, or add the model with another address: "
    "`--proxy URL`."
)


def proxy_endpoint(model: BoundModel, key: str | None) -> Endpoint:
    """Return the server that the model was added with.

    Raises GptOssError if its address or headers cannot be used.
    """
    return replace(model_endpoint(SERVER_NAME, model, key), api=API, remedy=REMEDY)


def proxied_model(model: BoundModel) -> str:
    "Return the server's name for the model: the one that it was added with, or the server's default model."
    return server_model_name(model) or DEFAULT_ALIAS


class ProxyServer:
    """A `CompletionServer`. The server completes raw text, as Ollama does.

    The family of the model is not checked: the server runs nothing but gpt-oss under this name.
    """

    def __init__(self, endpoint: Endpoint, model_name: str) -> None:
        self.endpoint = endpoint
        self._model_name = model_name

    def plan(self, completion: Completion) -> RequestPlan:
        yield from ()
        request = generate(replace(completion, model=self._model_name))
        return CompletionStream(request, GenerateReader(completion))


def health_request() -> Request[Json]:
    "The state of the server and of its default model."
    return Request("/health", lambda data: {"version": str(data["version"]), **data})


def model_request(name: str) -> Request[Json]:
    "The server's description of a model."
    return Request(f"/v1/models/{name}", lambda data: data, model=name)
