"`text.format`."

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.api.responses.formats import Format
from proxy.http.errors import ApiError

FORMAT: TypeAdapter[Any] = TypeAdapter(Format)
DOG = {"type": "json_schema", "name": "dog", "schema": {"type": "object"}}


def parse(value: Any) -> Any:
    return FORMAT.validate_python(value, strict=True)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param({"type": "text"}, None, id="text"),
        pytest.param({"type": "json_object"}, {"type": "object"}, id="json_object"),
        pytest.param({"type": "json_object", "schema": None}, {"type": "object"}, id="a null schema"),
        pytest.param({"type": "json_object", "schema": {"type": "array"}}, {"type": "array"}, id="a schema"),
        pytest.param({"type": "json_schema", "schema": {}}, {}, id="no name"),
        pytest.param({**DOG, "name": "a dog!"}, {"title": "a dog!", "type": "object"}, id="an odd name"),
        pytest.param(DOG, {"title": "dog", "type": "object"}, id="json_schema"),
        pytest.param(
            {**DOG, "description": "A dog", "strict": True},
            {"title": "dog", "type": "object", "description": "A dog"},
            id="all",
        ),
        pytest.param(
            {**DOG, "description": None, "strict": None}, {"title": "dog", "type": "object"}, id="nulls"
        ),
    ],
)
def test_formats(value: dict[str, Any], schema: dict[str, Any] | None) -> None:
    assert parse(value).answer_schema("text.format") == schema


@pytest.mark.parametrize("value", [DOG, {"type": "json_object"}], ids=lambda value: str(value["type"]))
def test_invalid_schema(value: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        parse({**value, "schema": {"type": "dog"}}).answer_schema("text.format")
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "text.format.schema")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "xml"},
        {"type": "grammar"},
        {"type": "json_schema", "name": "dog"},
        {**DOG, "name": 5},
        {"type": "json_schema", "json_schema": {"name": "dog", "schema": {}}},
    ],
)
def test_invalid_formats(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse(value)
