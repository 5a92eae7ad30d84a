"""The form of the answer, as OpenAI's SDK types it for chat: a schema stands one level down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ...http.body_model import Body
from ..response_formats import JsonObjectFormat, JsonSchema, PlainFormat


class JsonSchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: JsonSchema

    def answer_schema(self) -> dict[str, Any]:
        "Raises ApiError for a schema that is none."
        return self.json_schema.titled_schema("response_format.json_schema")


ResponseFormat = Annotated[PlainFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
