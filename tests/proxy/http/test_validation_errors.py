"Validation errors in the words of OpenAI's API."

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import Field, ValidationError, field_validator
from support.requests import MINIMAL

from proxy.api.chat_completions.request import ChatRequest
from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.validation_errors import validation_api_error


def api_error(kind: type[Body], sent: Any) -> ApiError:
    with pytest.raises(ValidationError) as problem:
        kind.model_validate_json(json.dumps(sent))
    error = validation_api_error(problem.value.errors(include_url=False), sent)
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error


def message(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi", **fields}]}


def part(**fields: Any) -> dict[str, Any]:
    return message(content=[{"type": "text", "text": "Hi"}, fields])


def tool(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f"}, **fields}]}


@pytest.mark.parametrize(
    ("sent", "code", "param"),
    [
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": None}, "invalid_type", "messages"),
        ({"messages": {}}, "invalid_type", "messages"),
        ({"messages": ["Hi"]}, "invalid_type", "messages[0]"),
        ({"messages": [{}]}, "missing_required_parameter", "messages[0].role"),
        (message(role="robot"), "invalid_value", "messages[0].role"),
        (message(role=None), "invalid_type", "messages[0].role"),
        (message(role=[]), "invalid_type", "messages[0].role"),
        (message(content=5), "invalid_type", "messages[0].content"),
        (message(content={}), "invalid_type", "messages[0].content"),
        (part(), "missing_required_parameter", "messages[0].content[1].type"),
        (part(type="text", text=5), "invalid_type", "messages[0].content[1].text"),
        (part(type="smell"), "invalid_value", "messages[0].content[1].type"),
        pytest.param(
            {
                "tools": [],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [5]}},
            },
            "invalid_type",
            "tool_choice.allowed_tools.tools[0]",
            id="a list of the same name that is shorter",
        ),
        ({"model": None}, "invalid_type", "model"),
        ({"n": 0}, "integer_below_min_value", "n"),
        ({"n": 1000}, "integer_above_max_value", "n"),
        ({"n": 1.5}, "invalid_type", "n"),
        ({"n": True}, "invalid_type", "n"),
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"temperature": -0.5}, "decimal_below_min_value", "temperature"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"stop": 5}, "invalid_type", "stop"),
        ({"stop": [5]}, "invalid_type", "stop[0]"),
        ({"stop": ["a"] * 257}, "array_above_max_length", "stop"),
        ({"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ({"metadata": {str(i): "" for i in range(17)}}, "object_above_max_properties", "metadata"),
        ({"tools": [{}]}, "missing_required_parameter", "tools[0].type"),
        ({"tools": [{"type": "smell"}]}, "invalid_value", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function"),
        (tool(function={}), "missing_required_parameter", "tools[0].function.name"),
        (tool(function={"name": ""}), "empty_string", "tools[0].function.name"),
        ({"tool_choice": "maybe"}, "invalid_value", "tool_choice"),
        ({"tool_choice": 5}, "invalid_type", "tool_choice"),
    ],
)
def test_chat_request(sent: dict[str, Any], code: str, param: str) -> None:
    error = api_error(ChatRequest, {**MINIMAL, **sent})
    assert (error.code, error.param) == (code, param)
    assert f"'{param}'" in error.message


@pytest.mark.parametrize("field", ["model", "messages"])
def test_missing_field(field: str) -> None:
    error = api_error(ChatRequest, {name: value for name, value in MINIMAL.items() if name != field})
    assert (error.code, error.param) == ("missing_required_parameter", field)


@pytest.mark.parametrize(
    ("sent", "type_name"),
    [([], "an array"), ("x", "a string"), (None, "null"), (1, "an integer"), (1.5, "a number")],
)
def test_body_that_is_no_object(sent: Any, type_name: str) -> None:
    error = api_error(ChatRequest, sent)
    assert (error.code, error.param) == ("invalid_type", None)
    assert error.message == f"Invalid type for the body: expected an object, but got {type_name} instead."


class Inner(Body):
    word: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    function: int = 0


class Other(Body):
    name: str


class Everything(Body):
    above: Annotated[float, Field(gt=0, lt=1)] = 0.5
    pair: Annotated[list[int] | None, Field(min_length=2)] = None
    name: Annotated[str, Field(pattern="^a$")] = "a"
    even: int = 0
    nothing: None = None
    either: Inner | list[Inner] | None = None
    # Named as pydantic names the alternatives that it tries.
    inner: Inner | Other | None = Field(default=None, alias="Inner")
    function: Any = None

    @field_validator("even")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("it is odd, and should not be")
        return value


@pytest.mark.parametrize(
    ("sent", "code", "text"),
    [
        ({"above": 0}, "decimal_below_min_value",
         "Invalid 'above': decimal below minimum value. Expected a value > 0, but got 0 instead."),
        ({"above": 1}, "decimal_above_max_value",
         "Invalid 'above': decimal above maximum value. Expected a value < 1, but got 1 instead."),
        ({"pair": [1]}, "array_below_min_length",
         "Invalid 'pair': array too short. Expected a length of at least 2, but got 1 instead."),
        ({"pair": []}, "empty_array", "Invalid 'pair': empty array. Expected a length of 2 or more."),
        ({"name": "b"}, "invalid_value", "Invalid 'name': it should match '^a$'."),
        ({"even": 1}, "invalid_value", "Invalid value for 'even': it is odd, and should not be."),
        ({"even": True}, "invalid_type",
         "Invalid type for 'even': expected an integer, but got a boolean instead."),
        ({"above": "x", "either": {"word": 1}}, "invalid_type",
         "Invalid type for 'above': expected a number, but got a string instead."),
        ({"nothing": 1}, "invalid_type",
         "Invalid type for 'nothing': expected null, but got an integer instead."),
        ({"either": 1}, "invalid_type",
         "Invalid type for 'either': expected one of an object or an array, but got an integer instead."),
        ({"either": {"word": "a"}}, "string_below_min_length",
         "Invalid 'either.word': string too short. Expected a length of at least 2, but got 1 instead."),
        ({"either": [{"word": "abcd"}]}, "string_above_max_length",
         "Invalid 'either[0].word': string too long. Expected a length of at most 3, but got 4 instead."),
        ({"either": {"function": "a"}}, "invalid_type",
         "Invalid type for 'either.function': expected an integer, but got a string instead."),
        ({"Inner": {"word": 1}}, "invalid_type",
         "Invalid type for 'Inner.word': expected a string, but got an integer instead."),
    ],
)  # fmt: skip
def test_messages(sent: dict[str, Any], code: str, text: str) -> None:
    error = api_error(Everything, sent)
    assert (error.code, error.message) == (code, text)


def test_long_values_are_cut() -> None:
    error = api_error(ChatRequest, {**MINIMAL, "tool_choice": "x" * 10_000})
    assert len(error.message) < 300


def test_body_with_many_errors() -> None:
    error = api_error(ChatRequest, {**MINIMAL, "messages": [1] * 1000})
    assert error.param == "messages[0]"


def test_unknown_error_type() -> None:
    sent = {"at": "x"}
    problem = {"type": "date_parsing", "loc": ("at",), "input": "x", "msg": "Input is no date"}
    error = validation_api_error([problem], sent)
    assert (error.message, error.code) == ("Invalid value for 'at': Input is no date.", "invalid_value")


def test_location_that_is_not_in_the_body() -> None:
    problem = {"type": "int_type", "loc": ("at", 3), "input": "x", "msg": ""}
    assert validation_api_error([problem], {}).param == "at[3]"


def test_query_and_path_parameters() -> None:
    from fastapi.exceptions import RequestValidationError

    from proxy.http.validation_errors import handle_validation_error

    app = FastAPI(exception_handlers={RequestValidationError: handle_validation_error})

    @app.get("/{number}")
    async def listed(number: int, limit: Annotated[int, Query(ge=1)] = 20) -> None: ...

    client = TestClient(app)
    below = client.get("/1", params={"limit": 0})
    assert below.status_code == 400
    assert below.json()["error"]["code"] == "integer_below_min_value"
    assert below.json()["error"]["param"] == "limit"
    assert client.get("/x").json()["error"]["param"] == "number"
