from __future__ import annotations

from typing import Any

import pytest

from proxy.api.text_inputs import MAX_TEXTS, parse_texts
from proxy.http.errors import ApiError


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        pytest.param("one", ["one"], id="one"),
        pytest.param("", [""], id="empty"),
        pytest.param(["one", "two"], ["one", "two"], id="several"),
        pytest.param(["x"] * MAX_TEXTS, ["x"] * MAX_TEXTS, id="as many as may be"),
    ],
)
def test_texts(value: Any, texts: list[str]) -> None:
    assert parse_texts(value, "prompt") == texts


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param([], "'prompt' is an empty list", id="none"),
        pytest.param(["x"] * (MAX_TEXTS + 1), "2049 entries", id="too many"),
        pytest.param([1, 2], "token ids", id="tokens"),
        pytest.param([[1, 2], [3]], "token ids", id="lists of tokens"),
    ],
)
def test_invalid_texts(value: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as raised:
        parse_texts(value, "prompt")
    assert (raised.value.status, raised.value.param) == (400, "prompt")
