"""`text.format`, typed as in OpenAI's SDK (`types/responses/response_format_text_config_param.py`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ..response_formats import JsonObjectFormat, JsonSchema, PlainFormat


class JsonSchemaFormat(JsonSchema):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def answer_schema(self, param: str) -> dict[str, Any]:
        return self.titled_schema(param)


Format = Annotated[PlainFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
