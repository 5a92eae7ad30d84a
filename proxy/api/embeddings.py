"""`POST /v1/embeddings`, for every embedding model that Ollama has.

Embeddings are not logged, since llm's log is for prompts and answers; llm stores embeddings in a database of
their own. They do not wait in the queue: another model computes them quickly, while long answers hold the
queue's slots.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends

from llm_gpt_oss.engines.http.client import AsyncClient
from llm_gpt_oss.engines.http.request import Request as EngineRequest
from llm_gpt_oss.engines.ollama.answers import EmbeddingResult
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.requests import embed
from llm_gpt_oss.errors import ContextOverflow, EngineError, ModelMissing

from ..http.body_model import Body
from ..http.disconnect import cancel_on_disconnect
from ..http.errors import ApiError
from ..http.field_table import FieldTable, honoured, no_effect, translated
from ..inference.client_request import ClientRequest
from ..inference.model_names import EMBEDDING_MODELS, no_embeddings
from ..state import ProxyState, StateDep, receive
from .extensions import NO_EFFECT
from .shared_fields import Whole
from .text_inputs import TextInput, parse_texts

router = APIRouter()

FIELDS = FieldTable(
    {
        "input": honoured("one text or several; token ids are refused"),
        "model": honoured(),
        "dimensions": honoured("if the model can make vectors of that length"),
        "encoding_format": honoured("float and base64"),
        "user": no_effect(),
        "prompt": translated("input"),
        **{name: field for name, field in NO_EFFECT.items() if "." not in name},
    }
)


class EmbeddingRequest(Body):
    "All fields of OpenAI's SDK (`types/embedding_create_params.py`)."

    FIELDS: ClassVar[FieldTable] = FIELDS

    model: str
    input: TextInput
    dimensions: Whole | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    def api_request(self, tag: str) -> EngineRequest[EmbeddingResult]:
        "Return the request for Ollama. Raises ApiError for an input or dimensions that cannot be embedded."
        texts = parse_texts(self.input, "input")
        if "" in texts:
            raise ApiError(400, "'input' contains an empty text.", code="invalid_value", param="input")
        if self.dimensions is not None and self.dimensions < 1:
            raise self.dimensions_error("at least one dimension is needed")
        request = embed(tag, texts, dimensions=self.dimensions)
        # By default, Ollama silently truncates a text that is too long.
        return replace(request, body={**(request.body or {}), "truncate": False})

    def dimensions_error(self, reason: str) -> ApiError:
        message = f"'dimensions' cannot be {self.dimensions}: {reason}."
        return ApiError(400, message, code="invalid_value", param="dimensions")

    def encode(self, vector: list[float]) -> list[float] | str:
        "Return the vector, or base64 of little-endian float32 numbers, which OpenAI's clients decode."
        if self.encoding_format == "base64":
            return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        return vector


@router.post("/v1/embeddings")
async def create(
    state: StateDep,
    client: Annotated[ClientRequest[EmbeddingRequest], Depends(receive(EmbeddingRequest))],
) -> dict[str, Any]:
    body = client.body.model
    api_request = body.api_request(state.model_names.embedding_tag(body.model))
    result = await cancel_on_disconnect(client.request.receive, _embed(state, api_request, body.model))
    for vector in result.vectors:
        # Ollama ignores `dimensions` if the model's vectors are shorter.
        if body.dimensions not in (None, len(vector)):
            raise body.dimensions_error(f"{body.model} makes {len(vector)}")
    tokens = result.prompt_tokens or 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": body.encode(vector)}
            for index, vector in enumerate(result.vectors)
        ],
        "model": body.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def _embed(
    state: ProxyState, api_request: EngineRequest[EmbeddingResult], name: str
) -> EmbeddingResult:
    "Return Ollama's embeddings. `name` is the model's name in errors. Raises ApiError and GptOssError."
    read_timeout = state.plugin_settings.read_timeout
    async with AsyncClient(ollama_endpoint(state.ollama_address(), read_timeout)) as client:
        try:
            return await client.send(api_request)
        except ContextOverflow:
            message = "'input' has a text that is longer than the model's context. Send shorter texts."
            raise ApiError(400, message, code="context_length_exceeded", param="input") from None
        except ModelMissing:
            message = (
                f"Ollama has no model '{api_request.model}'. {EMBEDDING_MODELS} Type `ollama pull "
                f"nomic-embed-text`. Start the server with --alias '{name[:100]}=nomic-embed-text' to give it"
                " this name."
            )
            raise ApiError(404, message, code="model_not_found", param="model") from None
        except EngineError as error:
            if error.status == 501:  # Ollama's status for a model that writes text
                raise no_embeddings(name) from None
            raise
