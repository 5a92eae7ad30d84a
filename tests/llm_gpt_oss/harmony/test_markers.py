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
# The special tokens of o200k_harmony. The last three are only known to openai/harmony's renderer.
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


def test_markers() -> None:
    assert [START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL] == MARKERS


@pytest.mark.parametrize("marker", MARKERS)
def test_marker_is_found_in_a_text(marker: str) -> None:
    assert [match.span() for match in MARKER.finditer(f"a{marker}b")] == [(1, 1 + len(marker))]


@pytest.mark.parametrize("text", [*ORDINARY, "<|endoftext|>", "<|refusal|>", "<|reserved_200000|>"])
def test_other_text_is_no_marker(text: str) -> None:
    assert not MARKER.search(text)


@pytest.mark.parametrize("marker", MARKERS)
def test_length_before_a_partial_marker(marker: str) -> None:
    assert {length_before_partial_marker(f"ab{marker[:end]}") for end in range(1, len(marker))} == {2}


@pytest.mark.parametrize(
    "text", ["", "ab", "a<b", "a<|x", "<|end|>", "<|call|>ab", "a <| end", "<|endoftext|>"]
)
def test_length_of_other_text(text: str) -> None:
    assert length_before_partial_marker(text) == len(text)


def test_only_the_last_marker_can_be_partial() -> None:
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
def test_all_special_tokens_and_nothing_else_are_neutralised(text: str) -> None:
    safe = neutralise(text)
    assert not re.search("|".join(map(re.escape, SPECIAL)), safe)
    assert neutralise(safe) == safe
    assert safe.replace(WORD_JOINER, "") == text.replace(WORD_JOINER, "")
