"""The format of an answer, typed as in OpenAI's SDK (`types/shared_params/response_format_*.py`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from llm_gpt_oss.turn.schema_check import schema_error

from ..http.body_model import Body
from ..http.errors import ApiError


class JsonSchema(Body):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)
    description: str | None = None
    strict: bool | None = None

    def titled_schema(self, param: str) -> dict[str, Any]:
        """The schema with its name as `title`, and its description.

        Raises ApiError for an invalid schema. `param` is the path of this object in the request.
        """
        if reason := schema_error(self.schema_):
            message = f"Invalid schema for {param.partition('.')[0]} '{self.name}': {reason}."
            raise ApiError(400, message, code="invalid_json_schema", param=f"{param}.schema")
        annotations = {"title": self.name, "description": self.description}
        return {**self.schema_, **{name: value for name, value in annotations.items() if value}}


class PlainFormat(Body):
    type: Literal["text"]

    def answer_schema(self) -> None:
        return None


class JsonObjectFormat(Body):
    type: Literal["json_object"]

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "object"}
