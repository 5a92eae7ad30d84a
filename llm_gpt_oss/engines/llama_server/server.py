"llama.cpp's server as an `HttpEngine` needs it."

from __future__ import annotations

from ...completion import Completion
from ..http.endpoint import Endpoint
from ..http.engine import CompletionStream, RequestPlan
from ..http.token_splitter import needs_tokens
from .reader import CompletionReader
from .requests import completion_request, markers_request


class LlamaServer:
    """A `CompletionServer`.

    `model_name` is the server's name for the model, if it has several. The ids of harmony's markers are
    requested once, to tell markers from text that spells them out. They also show whether the model is a
    gpt-oss. With `is_gpt_oss`, that is already known.
    """

    def __init__(
        self, endpoint: Endpoint, model_name: str | None = None, *, is_gpt_oss: bool = False
    ) -> None:
        self.endpoint = endpoint
        self._model_name = model_name
        self._is_gpt_oss = is_gpt_oss
        self._markers: dict[int, str] = {}

    def plan(self, completion: Completion) -> RequestPlan:
        request = completion_request(completion, self._model_name)
        if not self._markers and (needs_tokens(completion) or not self._is_gpt_oss):
            self._markers = yield markers_request(completion.model)
        return CompletionStream(request, CompletionReader(self.endpoint.name, completion, self._markers))
