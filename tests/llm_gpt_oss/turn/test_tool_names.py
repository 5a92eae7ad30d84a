from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.turn.tool_names import ToolNames


@pytest.mark.parametrize("name", ["f", "get_weather", "mcp-server.tool-2", "2nd", "browser.search", "-", "_"])
def test_what_harmony_can_carry_stays(name: str) -> None:
    names = ToolNames([name])
    assert (names.model_name(name), names.original_name(name)) == (name, name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("get weather", "get_weather"),
        ("a<|channel|>b", "a_channel_b"),
        ("tool:x/y", "tool_x_y"),
        ("  ", "_"),
        (".hidden.", "hidden"),
        ("größe", "gr_e"),
        ("\n\u2028\x00", "_"),
        ("", "tool"),
        ("...", "tool"),
    ],
)
def test_what_it_cannot_is_mapped_and_comes_back(name: str, shown: str) -> None:
    names = ToolNames([name])
    assert names.model_name(name) == shown
    assert names.original_name(shown) == name


def test_names_that_would_be_the_same_are_told_apart() -> None:
    names = ToolNames(["a b", "a/b", "a_b", "a_b_2"])
    shown = [names.model_name(name) for name in ("a b", "a/b", "a_b", "a_b_2")]
    assert shown == ["a_b_3", "a_b_4", "a_b", "a_b_2"]
    assert [names.original_name(name) for name in shown] == ["a b", "a/b", "a_b", "a_b_2"]


def test_a_name_that_nobody_gave_is_itself() -> None:
    assert ToolNames(["a b"]).original_name("no_such_tool") == "no_such_tool"


def test_a_name_of_the_history_comes_behind_those_of_the_tools() -> None:
    names = ToolNames(["a/b"])
    assert names.model_name("a b") == "a_b_2"
    assert [names.original_name("a_b"), names.original_name("a_b_2")] == ["a/b", "a b"]


NAMES = st.lists(st.text(alphabet="ab _.-<|é\n", max_size=4))


@given(NAMES)
def test_every_name_has_one_of_its_own_and_it_fits(given_names: list[str]) -> None:
    names = ToolNames(given_names)
    shown = {name: names.model_name(name) for name in given_names}
    assert len({*shown.values()}) == len(shown)
    assert {name: names.original_name(seen) for name, seen in shown.items()} == {name: name for name in shown}
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", seen) for seen in shown.values())


@given(NAMES, NAMES)
def test_the_same_tools_always_look_the_same(tools: list[str], later: list[str]) -> None:
    one, other = ToolNames(tools), ToolNames(tools)
    for name in later:
        other.model_name(name)
    assert [*map(one.model_name, tools)] == [*map(other.model_name, tools)]
