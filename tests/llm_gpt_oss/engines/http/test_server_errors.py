from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gpt_oss.engines.http.server_errors import ErrorResponse, Rule, failed, to_error, unwrap
from llm_gpt_oss.errors import EngineError

BODIES: list[tuple[object, str, dict[str, Any]]] = [
    ("no JSON", "no JSON", {}),
    ("{ no JSON", "{ no JSON", {}),
    ('{"error": "text"}', "text", {"error": "text"}),
    ({"error": {"message": "inner", "code": 400}, "code": 1}, "inner", {"code": 400}),
    ({"object": "error", "message": "flat", "code": 404}, "flat", {"code": 404}),
    ({"detail": "of FastAPI"}, "of FastAPI", {}),
    ({"detail": [{"loc": ["body"]}]}, '[{"loc": ["body"]}]', {}),
    ({"error": json.dumps({"error": {"message": "JSON as text", "n_ctx": 5}})}, "JSON as text", {"n_ctx": 5}),
    ({"other": 1}, '{"other": 1}', {}),
    (None, "null", {}),
    ("two\n lines\x1b[1m.", "two lines[1m", {}),
]


def test_messages_show_the_beginning_of_a_long_text() -> None:
    response = ErrorResponse("S", 500, "x" * 498 + ". y", None, {})
    assert response.text == "x" * 498
    assert Rule((), "y$", failed).matches(response)


@pytest.mark.parametrize(("body", "text", "details"), BODIES)
def test_unwrap_returns_the_innermost_text(body: object, text: str, details: dict[str, Any]) -> None:
    found_text, found_details = unwrap(body)
    assert found_text == text
    assert details.items() <= found_details.items()


CODES = [(500, {"code": 404}, 404), (500, {"code": "404"}, 500), (401, {"code": 1234}, 401), (401, {}, 401)]


@pytest.mark.parametrize(("status", "details", "code"), CODES)
def test_a_status_inside_the_error_counts_more(status: int, details: dict[str, Any], code: int) -> None:
    assert ErrorResponse("S", status, "", None, details).code == code


def test_an_error_without_a_rule() -> None:
    error = to_error((), "The server", 500, "text")
    assert type(error) is EngineError
    assert (error.status, error.message) == (500, "The server failed with an error (500): text.")
