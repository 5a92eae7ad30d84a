from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.turn.tool_names import ToolNames


@pytest.mark.parametrize(
    "name",
    ["f", "get_weather", "mcp-server.tool-2", "2nd", "browser.search", "-", "_"],
)
def test_valid_names_stay(name: str) -> None:
    names = ToolNames([name])
    assert (names.model_name(name), names.original_name(name)) == (name, name)


@pytest.mark.parametrize("name", ["größe", "погода", "天気", "मौसम", "الطقس", "e\u0301t\u00e9", "날씨-예보"])
def test_names_in_any_script_stay(name: str) -> None:
    assert ToolNames([name]).model_name(name) == name


@pytest.mark.parametrize(
    ("name", "model_name"),
    [
        ("get weather", "get_weather"),
        ("a<|channel|>b", "a_channel_b"),
        ("tool:x/y", "tool_x_y"),
        ("  ", "_"),
        (".hidden.", "hidden"),
        ("天気 予報", "天気_予報"),
        ("погода?", "погода_"),
        ("a🌦b", "a_b"),
        ("\n\u2028\x00", "_"),
        ("", "tool"),
        ("...", "tool"),
    ],
)
def test_other_names_are_mapped_and_mapped_back(name: str, model_name: str) -> None:
    names = ToolNames([name])
    assert names.model_name(name) == model_name
    assert names.original_name(model_name) == name


def test_names_that_would_be_equal_get_numbers() -> None:
    names = ToolNames(["a b", "a/b", "a_b", "a_b_2"])
    model_name = [names.model_name(name) for name in ("a b", "a/b", "a_b", "a_b_2")]
    assert model_name == ["a_b_3", "a_b_4", "a_b", "a_b_2"]
    assert [names.original_name(name) for name in model_name] == ["a b", "a/b", "a_b", "a_b_2"]


def test_an_unknown_model_name_is_returned() -> None:
    assert ToolNames(["a b"]).original_name("no_such_tool") == "no_such_tool"


def test_a_name_from_the_history_is_mapped_after_those_of_the_tools() -> None:
    names = ToolNames(["a/b"])
    assert names.model_name("a b") == "a_b_2"
    assert [names.original_name("a_b"), names.original_name("a_b_2")] == ["a/b", "a b"]


def test_many_tools_of_one_plain_name_get_consecutive_numbers() -> None:
    # Counting from 1 for each of them would take minutes.
    names = ToolNames("f" + chr(0x2500 + n % 128) + chr(0x1F300 + n // 128) for n in range(12_000))
    assert names.model_name("f" + chr(0x2500 + 11_999 % 128) + chr(0x1F300 + 11_999 // 128)) == "f__12000"


NAMES = st.lists(st.text(alphabet="ab _.-<|é天\n", max_size=4))


@given(NAMES)
def test_every_name_has_a_valid_and_unique_model_name(tool_names: list[str]) -> None:
    names = ToolNames(tool_names)
    model_name = {name: names.model_name(name) for name in tool_names}
    assert len({*model_name.values()}) == len(model_name)
    assert {name: names.original_name(seen) for name, seen in model_name.items()} == {
        name: name for name in model_name
    }
    assert all(re.fullmatch(r"[\w.-]+", seen) for seen in model_name.values())


@given(NAMES, NAMES)
def test_the_same_tools_always_have_the_same_names(tools: list[str], later: list[str]) -> None:
    one, other = ToolNames(tools), ToolNames(tools)
    for name in later:
        other.model_name(name)
    assert [*map(one.model_name, tools)] == [*map(other.model_name, tools)]
