"JSON as other programs might write it into llm's tables: not JSON at all, and JSON of another shape."

from __future__ import annotations

import pytest

# What a column may hold where an object is expected.
VALUES = [
    pytest.param('{"a": ', id="not JSON"),
    pytest.param("NaN", id="NaN"),
    pytest.param("", id="empty"),
    pytest.param(b"\xff\x00", id="bytes"),
    pytest.param("[" * 5000 + "]" * 5000, id="deep"),
    *(pytest.param(text, id=text) for text in ("null", "true", "5", '"text"', "[]", "[1]", "{}")),
]
# What a value in such an object may be.
INNER = [
    pytest.param(text, id=name)
    for name, text in {
        "null": "null",
        "true": "true",
        "number": "5",
        "fraction": "-0.5",
        "large": "9223372036854775807",
        "larger": "1e999",
        "text": '"text"',
        "list of all": '[null, true, 5, "text", ["a"], {"kind": 5}, {"kind": {}}, {"literal": 5}]',
        "object": '{"a": [1], "notes": 5, "kind": "length"}',
    }.items()
]


def in_object(path: str, value: str) -> tuple[str, str]:
    "The column, and its JSON with the value at a path such as `response_json.outcome.notes`."
    column, *names = path.split(".")
    for name in reversed(names):
        value = f'{{"{name}": {value}}}'
    return column, value
