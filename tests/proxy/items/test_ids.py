"Item ids."

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.items.ids import PREFIXES, item_id, parse_item_id

TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"
HASH = "0123456789abcdef" * 2


def test_id_format() -> None:
    assert item_id("reasoning", TURN, 0) == f"rs_{TURN}_0"


@given(st.sampled_from(sorted(PREFIXES)), st.sampled_from([TURN, HASH]), st.integers(0, 9_999_999))
def test_round_trip(item_type: str, source: str, n: int) -> None:
    assert parse_item_id(item_id(item_type, source, n)) == (source, n)


def test_the_prefix_is_ignored() -> None:
    assert parse_item_id(f"whatever_{TURN}_3") == (TURN, 3)


@pytest.mark.parametrize(
    "id",
    [
        "",
        "msg_123",
        f"msg_{TURN}",
        f"msg_{TURN}_",
        f"msg_{TURN}_-1",
        f"msg_{TURN}_01",
        f"msg_{TURN}_99999999",
        f"msg_{TURN}_1 ",
        f"msg_{TURN}_1\n",
        f"msg_{TURN}_\u0663",
        f"msg_{TURN.upper()}_1",
        f"msg_{HASH}0_1",
        f"{TURN}_1",
        f"_{TURN}_1",
    ],
)
def test_unknown_formats(id: str) -> None:
    assert parse_item_id(id) is None
