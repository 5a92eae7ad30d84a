from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.harmony.markers import (
    CALL,
    CHANNEL,
    CONSTRAIN,
    END,
    MARKER,
    MESSAGE,
    RETURN,
    START,
    WORD_JOINER,
    length_before_partial_marker,
    neutralise,
)

MARKERS = [
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
]
# o200k_harmony's special tokens by its own table; the last three are the renderer's own.
SPECIAL = [
    *MARKERS,
    "<|startoftext|>",
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|reserved_200000|>",
    "<|reserved_201088|>",
    "<|refusal|>",
    "<|untrusted|>",
    "<|end_untrusted|>",
]
ORDINARY = [
    "",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|START|>",
    "<| end |>",
    "<|end>",
    "<end|>",
    "<|ends|>",
    "<|reserved_|>",
    "<|reserved_\u0661|>",
    f"<{WORD_JOINER}|end|>",
    "a < b | c > d",
]
SCRAPS = st.sampled_from([*SPECIAL, *ORDINARY, "<", "|", ">", "<|", "|>", "end", "start", "reserved_1"])
TEXT = st.lists(SCRAPS | st.text(max_size=4), max_size=12).map("".join)


def test_names() -> None:
    assert [START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL] == MARKERS


@pytest.mark.parametrize("marker", MARKERS)
def test_the_reader_finds_a_marker_in_the_middle(marker: str) -> None:
    assert [match.span() for match in MARKER.finditer(f"a{marker}b")] == [(1, 1 + len(marker))]


@pytest.mark.parametrize("text", [*ORDINARY, "<|endoftext|>", "<|refusal|>", "<|reserved_200000|>"])
def test_the_reader_finds_nothing_else(text: str) -> None:
    assert not MARKER.search(text)


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_that_has_begun_may_go_on(marker: str) -> None:
    assert {length_before_partial_marker(f"ab{marker[:end]}") for end in range(1, len(marker))} == {2}


@pytest.mark.parametrize(
    "text", ["", "ab", "a<b", "a<|x", "<|end|>", "<|call|>ab", "a <| end", "<|endoftext|>"]
)
def test_what_begins_no_marker_is_whole(text: str) -> None:
    assert length_before_partial_marker(text) == len(text)


def test_only_the_last_may_be_unfinished() -> None:
    assert [length_before_partial_marker(text) for text in ("<|end|> <", "<<", "<|en<|s", "<|end")] == [
        8,
        1,
        4,
        0,
    ]


@pytest.mark.parametrize("special", SPECIAL)
def test_special_tokens_get_a_word_joiner(special: str) -> None:
    assert neutralise(f"<{special}{special}") == f"<<\u2060{special[1:]}<\u2060{special[1:]}"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert neutralise(text) == text


@given(TEXT)
def test_nothing_special_is_left_and_nothing_else_is_changed(text: str) -> None:
    safe = neutralise(text)
    assert not re.search("|".join(map(re.escape, SPECIAL)), safe)
    assert neutralise(safe) == safe
    assert safe.replace(WORD_JOINER, "") == text.replace(WORD_JOINER, "")
