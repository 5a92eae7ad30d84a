from __future__ import annotations

from typing import Any

import pytest

from proxy.api.text_inputs import MOST, parse_texts
from proxy.http.errors import ApiError


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        pytest.param("one", ["one"], id="one"),
        pytest.param("", [""], id="empty"),
        pytest.param(["one", "two"], ["one", "two"], id="several"),
        pytest.param(["x"] * MOST, ["x"] * MOST, id="as many as may be"),
    ],
)
def test_texts(given: Any, texts: list[str]) -> None:
    assert parse_texts(given, "prompt") == texts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param([], "'prompt' is an empty list", id="none"),
        pytest.param(["x"] * (MOST + 1), "2049 entries", id="too many"),
        pytest.param([1, 2], "token ids", id="tokens"),
        pytest.param([[1, 2], [3]], "token ids", id="lists of tokens"),
    ],
)
def test_no_texts(given: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as raised:
        parse_texts(given, "prompt")
    assert (raised.value.status, raised.value.param) == (400, "prompt")
