from __future__ import annotations

import re
from itertools import pairwise
from time import process_time

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
    ends_inside_neutralised,
    length_before_partial_marker,
    neutralise,
    restore,
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


# Text that the model copied from its prompt.


@pytest.mark.parametrize("special", SPECIAL)
def test_special_tokens_are_restored(special: str) -> None:
    assert restore(f"a{neutralise(special)}b{neutralise(special)}") == f"a{special}b{special}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("<|end|>", id="special token"),
        pytest.param(WORD_JOINER, id="word joiner alone"),
        pytest.param(f"a{WORD_JOINER}b", id="word joiner in a word"),
        pytest.param(f"<{WORD_JOINER}|im_end|>", id="token of another vocabulary"),
        pytest.param(f"<{WORD_JOINER}|END|>", id="capitals"),
        pytest.param(f"<{WORD_JOINER}|end|", id="incomplete"),
        pytest.param(f"<{WORD_JOINER}{WORD_JOINER}|end|>", id="two word joiners"),
        pytest.param(f"<|{WORD_JOINER}end|>", id="word joiner elsewhere"),
        pytest.param(f"< {WORD_JOINER}|end|>", id="space"),
    ],
)
def test_other_text_is_not_restored(text: str) -> None:
    assert restore(text) == text


@given(TEXT)
def test_what_is_neutralised_is_restored(text: str) -> None:
    text = text.replace(WORD_JOINER, "")
    assert restore(neutralise(text)) == text


@given(TEXT)
def test_only_word_joiners_are_lost(text: str) -> None:
    assert restore(text).replace(WORD_JOINER, "") == text.replace(WORD_JOINER, "")
    assert restore(neutralise(text)) == restore(text)


@pytest.mark.parametrize("special", SPECIAL)
def test_the_beginning_of_a_neutralised_token(special: str) -> None:
    copied = neutralise(special)
    beginnings = [copied[:end] for end in range(1, len(copied))]
    assert [text for text in beginnings if not ends_inside_neutralised(f"a {text}")] == []
    assert [text for text in beginnings if not ends_inside_neutralised(f"{copied}{text}")] == []
    assert not ends_inside_neutralised(copied)
    assert not ends_inside_neutralised(f"{copied}b")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a", id="word"),
        pytest.param("a < ", id="space after it"),
        pytest.param("<b", id="tag"),
        pytest.param("<|", id="special token"),
        pytest.param("<|en", id="beginning of a special token"),
        pytest.param(f"<{WORD_JOINER}a", id="no bar"),
        pytest.param(f"<{WORD_JOINER}|E", id="capitals"),
        pytest.param(f"<{WORD_JOINER}|end|a", id="no bracket"),
        pytest.param(f"<{WORD_JOINER}|end\n", id="line break"),
        pytest.param(f"<{WORD_JOINER}|{'a' * 25}", id="long name"),
        pytest.param(f"{WORD_JOINER}|end", id="only a word joiner"),
    ],
)
def test_other_text_does_not_end_inside_a_neutralised_token(text: str) -> None:
    assert not ends_inside_neutralised(text)


@given(TEXT, st.data())
def test_text_in_pieces_is_restored(text: str, data: st.DataObject) -> None:
    "Text that waits for the rest of a neutralised token is restored like the whole text."
    text = neutralise(text)
    cuts = data.draw(st.lists(st.integers(0, len(text)), unique=True).map(sorted))
    restored = waiting = ""
    for start, end in pairwise([0, *cuts, len(text)]):
        waiting += text[start:end]
        if not ends_inside_neutralised(waiting):
            restored, waiting = restored + restore(waiting), ""
    assert restored + restore(waiting) == restore(text)


def test_only_the_end_of_a_long_text_is_read() -> None:
    text = f"<{WORD_JOINER}|" * 100_000
    started = process_time()
    assert [ends_inside_neutralised(text[: len(text) - end]) for end in range(100)].count(True) == 100
    assert process_time() - started < 10
