from typing import get_args

from llm_gpt_oss.turn.note import MEANINGS, NoteKind


def test_each_kind_has_a_meaning() -> None:
    assert {*MEANINGS} == {*get_args(NoteKind)}
