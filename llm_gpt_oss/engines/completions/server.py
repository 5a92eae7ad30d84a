"A server with OpenAI's completion API as an `HttpEngine` needs it."

from __future__ import annotations

from ...completion import Completion
from ...errors import EngineError
from ..http.endpoint import Endpoint
from ..http.engine import CompletionStream, RequestPlan
from .reader import TextReader
from .requests import DEFAULT_MAX_TOKENS, Dialect, completion_request, token_count_request


class CompletionsServer:
    """A `CompletionServer`.

    `model_name` is the server's name for the model. Without one it is the tag. A server that needs a limit is
    first asked how many tokens the context has left.
    """

    def __init__(self, endpoint: Endpoint, model_name: str | None, dialect: Dialect) -> None:
        self.endpoint = endpoint
        self._model_name = model_name
        self._dialect = dialect

    def plan(self, completion: Completion) -> RequestPlan:
        model_name, limit = self._model_name or completion.model, completion.max_tokens
        if limit is None and self._dialect.needs_max_tokens:
            try:
                limit = yield token_count_request(completion, model_name, self.endpoint.name)
            except EngineError as error:
                if error.status not in (404, 405):
                    raise
                limit = DEFAULT_MAX_TOKENS
        return CompletionStream(
            completion_request(completion, model_name, self._dialect, limit),
            TextReader(self.endpoint.name, completion),
        )
