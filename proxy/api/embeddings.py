"""`POST /v1/embeddings`, by any embedding model that Ollama has.

Not logged: a turn is what was said to a model and what it said, and vectors are neither (llm has a database
of their own for those that a person wants to keep). Nor do they wait for a place in the queue, which long
answers hold: another model makes them, in no time.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request

from llm_gpt_oss.engines.http.client import AsyncClient
from llm_gpt_oss.engines.http.request import Request as EngineRequest
from llm_gpt_oss.engines.ollama.answers import EmbeddingResult
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.requests import embed
from llm_gpt_oss.errors import EngineError

from ..http.body_model import Body
from ..http.errors import ApiError
from ..http.request_body import cancel_on_disconnect, read_body
from ..ollama_server import upstream
from ..state import ProxyState, server_of
from .text_inputs import TextInput, attribute_overflow, parse_texts

router = APIRouter()


class EmbeddingRequest(Body):
    "All fields of OpenAI's SDK (`types/embedding_create_params.py`). `user` has no effect."

    model: str
    input: TextInput
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    def call(self, tag: str) -> EngineRequest[EmbeddingResult]:
        "Raises ApiError for what is no text to embed."
        texts = parse_texts(self.input, "input")
        if "" in texts:
            raise ApiError(400, "'input' holds an empty text.", code="invalid_value", param="input")
        if self.dimensions is not None and self.dimensions < 1:
            raise self.wrong_size("at least one dimension is needed")
        asked = embed(tag, texts, dimensions=self.dimensions)
        # Ollama would cut a text that is too long without a word.
        return replace(asked, body={**(asked.body or {}), "truncate": False})

    def wrong_size(self, why: str) -> ApiError:
        message = f"'dimensions' cannot be {self.dimensions}: {why}."
        return ApiError(400, message, code="invalid_value", param="dimensions")

    def written(self, vector: list[float]) -> list[float] | str:
        "base64 of float32, least significant byte first, as OpenAI's clients read it."
        if self.encoding_format == "base64":
            return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        return vector


@router.post("/v1/embeddings")
async def create(http: Request) -> dict[str, Any]:
    server = server_of(http)
    request = await read_body(http, EmbeddingRequest)
    call = request.call(server.settings.aliases.get(request.model, request.model))
    embedded = await cancel_on_disconnect(http, _sent(server, call))
    for vector in embedded.vectors:
        # Ollama leaves a vector as it is that has fewer than were asked for.
        if request.dimensions not in (None, len(vector)):
            raise request.wrong_size(f"{request.model} makes {len(vector)}")
    tokens = embedded.prompt_tokens or 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": request.written(vector)}
            for index, vector in enumerate(embedded.vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def _sent(server: ProxyState, call: EngineRequest[EmbeddingResult]) -> EmbeddingResult:
    async with AsyncClient(ollama_endpoint(upstream(server), server.plugin_settings.read_timeout)) as client:
        try:
            with attribute_overflow("input"):
                return await client.send(call)
        except EngineError as error:
            if error.status == 501:  # Ollama's for a model that answers in words
                message = f"The model '{call.model}' makes no embeddings."
                raise ApiError(400, message, code="model_not_supported", param="model") from None
            raise
