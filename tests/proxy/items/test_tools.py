"What the tools of OpenAI's APIs have in common."

from __future__ import annotations

import llm
import pytest

from proxy.http.errors import ApiError
from proxy.items.tools import Choice, free_text, offered_tools


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param('{"input": "x\\n"}', "x\n", id="as it should be"),
        pytest.param('{"input": 5}', '{"input": 5}', id="no text"),
        pytest.param('{"text": "x"}', '{"text": "x"}', id="another name"),
        pytest.param('["x"]', '["x"]', id="a list"),
        pytest.param("x", "x", id="no JSON"),
        pytest.param("[" * 100_000, "[" * 100_000, id="deep"),
    ],
)
def test_free_text(arguments: str, text: str) -> None:
    assert free_text(arguments) == text


ADD, AUTO = (llm.Tool(name, None, {}) for name in ("add", "auto"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param(Choice(), ([ADD, AUTO], None), id="nothing"),
        pytest.param(Choice("none"), ([ADD, AUTO], "none"), id="a mode"),
        pytest.param(Choice(name="add"), ([ADD, AUTO], "add"), id="a name"),
        pytest.param(Choice(name="auto"), ([AUTO], "required"), id="a name that is a mode"),
        pytest.param(Choice("auto", among={"add"}), ([ADD], "auto"), id="among some"),
        pytest.param(Choice("auto", among=()), ([], "auto"), id="among none"),
    ],
)
def test_offered(choice: Choice, expected: tuple[list[llm.Tool], str | None]) -> None:
    assert offered_tools([ADD, AUTO], choice) == expected


@pytest.mark.parametrize(
    "choice", [Choice(name="subtract"), Choice("auto", among={"subtract"}), Choice("required", among=())]
)
def test_not_to_choose(choice: Choice) -> None:
    with pytest.raises(ApiError) as caught:
        offered_tools([ADD, AUTO], choice)
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")
