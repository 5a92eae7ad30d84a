from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.turn.strict_json import parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text("\ud800\udc00"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(VALUES)
def test_sqlite_accepts_what_the_parser_accepts(value: Any) -> None:
    sent = json.dumps(value)
    try:
        taken = parse_json(sent)
    except ValueError:
        return
    assert taken == json.loads(sent)
    with sqlite3.connect(":memory:") as database:
        written = json.dumps(taken, ensure_ascii=False)
        assert database.execute("select json_valid(?)", [written]).fetchone() == (1,)
    database.close()


@pytest.mark.parametrize(
    "text", ["", "{", "[NaN]", "[Infinity]", "[1e999]", "-1e400", '"\\ud800"', "[" * 201]
)
def test_json_that_only_some_parsers_accept_is_rejected(text: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(ValueError):  # noqa: PT011
            parse_json(form)
