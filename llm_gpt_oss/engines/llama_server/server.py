"llama.cpp's server as an `HttpEngine` needs it."

from __future__ import annotations

from ...completion import Completion
from ..http.endpoint import Endpoint
from ..http.engine import CompletionStream, RequestPlan
from .reader import CompletionReader
from .requests import completion_request, vocabulary_request


class LlamaServer:
    """A `CompletionServer`.

    `model_name` is the server's name for the model, where it has several. The vocabulary is checked for
    harmony's markers once, unless the model `is_gpt_oss` for certain.
    """

    def __init__(
        self, endpoint: Endpoint, model_name: str | None = None, *, is_gpt_oss: bool = False
    ) -> None:
        self.endpoint = endpoint
        self._model_name = model_name
        self._is_gpt_oss = is_gpt_oss

    def plan(self, completion: Completion) -> RequestPlan:
        request = completion_request(completion, self._model_name)
        if not self._is_gpt_oss:
            yield vocabulary_request(completion.model)
            self._is_gpt_oss = True
        return CompletionStream(request, CompletionReader(self.endpoint.name, completion.top_logprobs))
