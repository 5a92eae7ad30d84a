"""`response_format`, typed as in OpenAI's SDK: a schema is one level deeper than in the Responses API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ...http.body_model import Body
from ..response_formats import JsonObjectFormat, JsonSchema, PlainFormat


class JsonSchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: JsonSchema

    def answer_schema(self, param: str) -> dict[str, Any]:
        return self.json_schema.titled_schema(f"{param}.json_schema")


ResponseFormat = Annotated[PlainFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
