"""The form of the answer, as OpenAI's SDK types it (`types/shared_params/response_format_*.py`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from llm_gpt_oss.validate import flaw

from ..body import Body
from ..errors import ApiError


class JsonSchema(Body):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)
    description: str | None = None
    strict: bool | None = None


class PlainFormat(Body):
    type: Literal["text"]

    def schema_of(self) -> None:
        return None


class JsonObjectFormat(Body):
    type: Literal["json_object"]

    def schema_of(self) -> dict[str, Any]:
        return {"type": "object"}


class JsonSchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: JsonSchema

    def schema_of(self) -> dict[str, Any]:
        "The schema under the name that it is given here. Raises ApiError for one that is none."
        given = self.json_schema
        if why := flaw(given.schema_):
            message = f"Invalid schema for response_format '{given.name}': {why}."
            raise ApiError(
                400, message, code="invalid_json_schema", param="response_format.json_schema.schema"
            )
        about = {"title": given.name, "description": given.description}
        return {**given.schema_, **{name: value for name, value in about.items() if value}}


ResponseFormat = Annotated[PlainFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
