"""The format of an answer, typed as in OpenAI's SDK (`types/shared_params/response_format_*.py`).

Each format has `answer_schema`, which returns the JSON schema of the answer. Its argument is the path of the
format in the request. It raises ApiError for an invalid schema.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field

from llm_gpt_oss.turn.schema_check import schema_error

from ..http.body_model import Body
from ..http.errors import ApiError

# The name of a schema without one.
DEFAULT_NAME = "response"


class JsonSchema(Body):
    "OpenAI requires a name, and allows only some characters in it. This server needs none, and takes any."

    name: str | None = None
    schema_: dict[str, Any] | None = Field(alias="schema", default=None)
    description: str | None = None
    strict: bool | None = None

    def titled_schema(self, param: str) -> dict[str, Any]:
        """The schema with its name as `title`, and its description.

        Raises ApiError for an invalid schema. `param` is the path of this object in the request.
        """
        schema = _checked(self.schema_ or {}, param, self.name)
        annotations = {"title": self.name, "description": self.description}
        return {**schema, **{name: value for name, value in annotations.items() if value}}


class PlainFormat(Body):
    type: Literal["text"]

    def answer_schema(self, param: str) -> None:
        return None


class JsonObjectFormat(Body):
    "`schema` is not OpenAI's: servers of local models have it. Hugging Face's clients call it `value`."

    type: Literal["json_object"]
    schema_: dict[str, Any] | None = Field(
        alias="schema", validation_alias=AliasChoices("schema", "value"), default=None
    )

    def answer_schema(self, param: str) -> dict[str, Any]:
        return _checked(self.schema_, param, None) if self.schema_ else {"type": "object"}


def _checked(schema: dict[str, Any], param: str, name: str | None) -> dict[str, Any]:
    if reason := schema_error(schema):
        message = f"Invalid schema for {param.partition('.')[0]} '{name or DEFAULT_NAME}': {reason}."
        raise ApiError(400, message, code="invalid_json_schema", param=f"{param}.schema")
    return schema
