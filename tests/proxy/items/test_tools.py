"Tools and tool choices that both APIs share."

from __future__ import annotations

import llm
import pytest

from proxy.http.errors import ApiError
from proxy.items.tools import ResolvedChoice, apply_choice, custom_input


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
    assert custom_input(arguments) == text


ADD, AUTO = (llm.Tool(name, None, {}) for name in ("add", "auto"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param(ResolvedChoice(), ([ADD, AUTO], None), id="nothing"),
        pytest.param(ResolvedChoice("none"), ([ADD, AUTO], "none"), id="a mode"),
        pytest.param(ResolvedChoice(name="add"), ([ADD, AUTO], "add"), id="a name"),
        pytest.param(ResolvedChoice(name="auto"), ([AUTO], "required"), id="a name that is a mode"),
        pytest.param(ResolvedChoice("auto", allowed={"add"}), ([ADD], "auto"), id="among some"),
        pytest.param(ResolvedChoice("auto", allowed=()), ([], "auto"), id="among none"),
    ],
)
def test_apply_choice(choice: ResolvedChoice, expected: tuple[list[llm.Tool], str | None]) -> None:
    assert apply_choice([ADD, AUTO], choice) == expected


@pytest.mark.parametrize(
    "choice",
    [
        ResolvedChoice(name="subtract"),
        ResolvedChoice("auto", allowed={"subtract"}),
        ResolvedChoice("required", allowed=()),
    ],
)
def test_choices_that_are_not_possible(choice: ResolvedChoice) -> None:
    with pytest.raises(ApiError) as caught:
        apply_choice([ADD, AUTO], choice)
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")
