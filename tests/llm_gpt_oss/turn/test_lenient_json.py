from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.growth import assert_linear

from llm_gpt_oss.turn.lenient_json import REPAIRS, read_object

TEXTS = st.text(max_size=5) | st.text("\"'\\/\n\tab{}[]:,", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)


def read(text: str) -> dict[str, Any] | None:
    try:
        return read_object(text)[0]
    except ValueError:
        return None


@given(OBJECTS, st.booleans(), st.sampled_from([None, 2]), st.sampled_from(["", " ", "\n\t"]))
def test_valid_json_is_not_changed(
    value: dict[str, Any], ascii_only: bool, indent: int | None, space: str
) -> None:
    text = space + json.dumps(value, ensure_ascii=ascii_only, indent=indent) + space
    assert read_object(text) == (value, ())


@given(JSON)
def test_valid_json_without_an_object_is_none(value: Any) -> None:
    assume("{" not in json.dumps(value))
    assert read(json.dumps(value)) is None


# An object as a careless writer writes it, with other quotes, raw control characters, Python's constants, too
# many commas and other spaces. The reader has to find the same object.

SPACES = st.sampled_from(["", "", " ", "\n", "\u00a0", "\u2003"])


@st.composite
def careless(draw: st.DrawFn, value: Any) -> str:
    space = draw(SPACES)
    match value:
        case dict():
            pairs = [f"{draw(careless(key))}:{space}{draw(careless(item))}" for key, item in value.items()]
            return "{" + space + f",{space}".join(pairs) + draw(comma(pairs)) + space + "}"
        case list():
            items = [draw(careless(item)) for item in value]
            return "[" + space + f",{space}".join(items) + draw(comma(items)) + "]"
        case str():
            return draw(st.sampled_from([json.dumps(value), raw_controls(value), single_quotes(value)]))
        case None | True | False:
            return draw(st.sampled_from([json.dumps(value), repr(value)]))
        case _:
            return json.dumps(value)


def comma(items: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(["", ","]) if items else st.just("")


def raw_controls(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def single_quotes(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


AROUND = st.sampled_from(
    [("", ""), ("```json\n", "\n```"), ("Here it is: ", ". Done"), ("[", "]"), ("", "}}"), ("\ufeff", "")]
)


@settings(max_examples=100)
@given(OBJECTS.flatmap(lambda value: st.tuples(st.just(value), careless(value))), AROUND)
def test_a_careless_object_is_the_object(
    written: tuple[dict[str, Any], str], around: tuple[str, str]
) -> None:
    value, text = written
    assume(value or not any(around))
    assert read(around[0] + text + around[1]) == value


@given(OBJECTS)
def test_an_object_that_is_encoded_twice_is_the_object(value: dict[str, Any]) -> None:
    text = json.dumps(json.dumps(value))
    assert read_object(text) == (value, ("JSON encoded twice",))
    assert read(text[1:-1]) == value


@given(OBJECTS, st.data())
def test_an_object_without_its_last_brackets_is_the_object_or_nothing(
    value: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(value)
    closing = len(text) - len(text.rstrip("]}"))
    cut = text[: len(text) - data.draw(st.integers(1, closing))]
    assert read(cut) in (value, None)


# Whatever is broken: the strings of the result are those of the text, in their order.

SCRAPS = st.sampled_from([*"\"'{}[]:,\\/\n\t 1x", "\u00a0", "```", "None", "\\'", "\\x41", "\\0", '""', "b'"])


@st.composite
def broken(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 2)))
        text = text[:start] + draw(SCRAPS | st.just("")) + text[end:]
    return text


@settings(max_examples=100)
@given(OBJECTS.flatmap(careless).flatmap(broken))
def test_no_repair_adds_or_loses_a_character_of_a_string(text: str) -> None:
    try:
        value, repairs = read_object(text)
    except ValueError:
        return
    assume("JSON encoded twice" not in repairs)
    assume("'" not in text[text.rindex("}") :])  # an apostrophe after the object
    assert [*strings(value)] == [*literals(text[text.index("{") :])]


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from strings(item)
        case dict():
            for key, item in value.items():
                yield key
                yield from strings(item)


def literals(text: str) -> Iterator[str]:
    "The strings of a text, read character by character."
    characters = iter(text)
    for quote in characters:
        if quote in "\"'":
            string = ""
            for character in characters:
                if character == quote:
                    break
                string += escaped(characters) if character == "\\" else character
            yield re.sub("[\ud800-\udbff][\udc00-\udfff]", joined, string)


def escaped(characters: Iterator[str]) -> str:
    character = next(characters)
    if character == "u":
        return chr(int("".join(next(characters) for _ in range(4)), 16))
    return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(character, character)


def joined(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16", "surrogatepass").decode("utf-16")


def test_every_repair_has_a_name_and_changes_something() -> None:
    text = "Well: {\u00a0'city': 'Oslo', \"b\": [True, \"\n\",],}."
    assert read_object(text) == ({"city": "Oslo", "b": [True, "\n"]}, (*REPAIRS,))


GROWING: dict[str, Callable[[int], str]] = {
    "an open string of escaped quotes": lambda n: '{"a":"' + '\\"' * n,
    "an open string of backslashes": lambda n: '{"a":"' + "\\" * n,
    "strings that touch": lambda n: '{"a":' + '""' * n + "}",
    "single quotes": lambda n: "{'a':'" + "\\'" * n + "'}",
    "control characters": lambda n: '{"a":"' + "x\n" * n + '"}',
    "open objects": lambda n: "{" * n,
    "open arrays and objects": lambda n: '{"a":' + '[{"a":' * n,
    "open objects with commas": lambda n: '{"a":1,' * n,
    "an open array with commas": lambda n: '{"a":[' + "true," * n + "true",
    "open arrays in objects that are no values": lambda n: "{" * n + "[" + "true," * n + "true",
    "trailing commas": lambda n: '{"a":[' + "1," * n + "]}",
    "spaces": lambda n: "{" + "\u00a0 " * n + "}",
    "brackets after the object": lambda n: '{"a":1}' + "]}" * n,
    "prose before the object": lambda n: "word- " * n + '{"a":1}',
    "apostrophes before the object": lambda n: "it's " * n + '{"a":1}',
    "many objects": lambda n: '{"a":1}' * n,
    "keys": lambda n: "{" + ",".join(f"'{number}':1" for number in range(n)) + "}",
    "layers of escapes": lambda n: '"' + "{\\" * n + '"',
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in GROWING.items()])
def test_the_time_is_in_proportion_to_the_length(text: Callable[[int], str]) -> None:
    assert_linear(read, text)
