"Ollama as an `HttpEngine` needs it."

from __future__ import annotations

from ...catalog.tags import check_tag
from ...completion import Completion
from ...settings import Settings
from ..http.engine import CompletionStream, RequestPlan
from .endpoint import ollama_endpoint
from .family import family_request, is_official
from .reader import GenerateReader
from .requests import generate


class OllamaServer:
    "A `CompletionServer`. It checks the family of each model once, except for the official tags."

    def __init__(self, settings: Settings, key: str | None = None) -> None:
        server = settings.server.with_key(key)
        self.endpoint = ollama_endpoint(server, settings.read_timeout, settings.keepalive_seconds)
        self._settings = settings
        self._checked: set[str] = set()

    def plan(self, completion: Completion) -> RequestPlan:
        tag = check_tag(completion.model, self._settings)
        if not is_official(tag) and tag not in self._checked:
            yield family_request(tag)
            self._checked.add(tag)
        return CompletionStream(generate(completion), GenerateReader(completion))
