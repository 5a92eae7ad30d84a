from __future__ import annotations

import json
from typing import Any

import pytest
from support.logged_turns import turn, user

from proxy.log.stored_body import (
    join_shared_fields,
    redacted_text,
    shorten,
    split_shared_fields,
    to_text,
)
from proxy.log.turn_json import to_json


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="nothing secret"),
        pytest.param({"tools": [{"authorization": "x"}]}, {"tools": [{"authorization": "…"}]}, id="deep"),
        pytest.param({"headers": {"X-API-Key": "x"}}, {"headers": {"X-API-Key": "…"}}, id="any case"),
        pytest.param(
            {"properties": {"api_key": {"type": "string"}}},
            {"properties": {"api_key": {"type": "string"}}},
            id="a schema",
        ),
        pytest.param([], [], id="no object"),
    ],
)
def test_secrets_are_replaced(sent: Any, kept: Any) -> None:
    assert json.loads(redacted_text(json.dumps(sent))) == kept
    assert json.loads(to_text(sent)) == kept
    assert b'"x"' not in to_json(turn(user("Hi"), body=json.dumps(sent)))


FILE = "QUFB" * 500


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(f"data:image/png;base64,{FILE}", f"data:image/png;base64,{FILE[:28]}…", id="data URL"),
        pytest.param(f"https://example.com/{FILE}", f"https://example.com/{FILE}", id="URL"),
        pytest.param("data:image/png;base64,AAAA", "data:image/png;base64,AAAA", id="short"),
    ],
)
def test_images_are_shortened(sent: str, kept: str) -> None:
    for image in ({"url": sent}, sent):
        body = {"messages": [{"content": [{"type": "image_url", "image_url": image}]}]}
        expected = {"url": kept} if isinstance(image, dict) else kept
        assert json.loads(to_text(body))["messages"][0]["content"][0]["image_url"] == expected
        assert to_text(body) == redacted_text(json.dumps(body))


@pytest.mark.parametrize("field", ["data", "file_data"])
def test_files_are_shortened(field: str) -> None:
    body = {"content": [{"type": "input_audio", "input_audio": {field: FILE, "text": FILE}}]}
    kept = {field: f"{FILE[:50]}…", "text": FILE}
    assert json.loads(to_text(body))["content"][0]["input_audio"] == kept


def test_a_secret_whose_key_is_written_with_escapes() -> None:
    body = r'{"\u0061pi_key": "x"}'
    assert json.loads(redacted_text(body)) == {"api_key": "…"}
    assert b'"x"' not in to_json(turn(user("Hi"), body=body))


@pytest.mark.parametrize(
    ("body", "entries", "shortened"),
    [
        pytest.param({"messages": [1, 2]}, 0, {"messages": [1, 2]}, id="nothing"),
        pytest.param({"messages": [1, 2], "a": 1}, 1, {"messages": [2], "a": 1}, id="messages"),
        pytest.param({"input": [1, 2], "messages": [3]}, 2, {"input": [], "messages": [3]}, id="items"),
    ],
)
def test_entries_of_earlier_turns_are_left_out(body: Any, entries: int, shortened: Any) -> None:
    assert shorten(body, entries) == shortened


LONG = [{"type": "function", "name": "look", "description": "é" * 400}]


@pytest.mark.parametrize(
    ("body", "shared"),
    [
        pytest.param({"tools": LONG, "a": LONG}, {"tools"}, id="one of the fields"),
        pytest.param(
            {"tools": LONG, "text": LONG, "instructions": "a" * 400},
            {"tools", "text", "instructions"},
            id="some",
        ),
        pytest.param({"tools": LONG[:0], "instructions": "Be brief.", "text": None}, set(), id="short ones"),
        pytest.param({}, set(), id="no field"),
        pytest.param([LONG], set(), id="no object"),
    ],
)
def test_shared_fields(body: Any, shared: set[str]) -> None:
    rest, fields = split_shared_fields(body)
    assert {field.name for field in fields} == shared
    assert not isinstance(rest, dict) or not shared & {*rest}
    joined = json.dumps({field.name: json.loads(field.value) for field in fields})
    assert join_shared_fields(json.dumps(rest), joined) == body


def test_a_shared_field_has_no_secrets_and_one_hash() -> None:
    _, fields = split_shared_fields({"tools": [{"authorization": "secret", "a": "b" * 400}]})
    _, others = split_shared_fields({"model": "x", "tools": [{"authorization": "other", "a": "b" * 400}]})
    assert json.loads(fields[0].value)[0]["authorization"] == "…"
    assert fields == others
