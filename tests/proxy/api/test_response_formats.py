"Response formats."

from __future__ import annotations

from typing import Any

import pytest

from proxy.api.response_formats import JsonSchema
from proxy.http.errors import ApiError


def schema(**fields: Any) -> JsonSchema:
    return JsonSchema.model_validate({"name": "dog", **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"title": "dog"}, id="name only"),
        pytest.param(
            {"description": "A dog", "strict": True, "schema": {"title": "Dog", "type": "object"}},
            {"title": "dog", "type": "object", "description": "A dog"},
            id="all",
        ),
    ],
)
def test_name_becomes_the_title(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert schema(**fields).titled_schema("text.format") == expected


@pytest.mark.parametrize(
    ("where", "field"),
    [("text.format", "text"), ("response_format.json_schema", "response_format")],
)
def test_invalid_schema(where: str, field: str) -> None:
    with pytest.raises(ApiError) as caught:
        schema(schema={"type": "dog"}).titled_schema(where)
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", f"{where}.schema")
    assert f"for {field} 'dog'" in caught.value.message
