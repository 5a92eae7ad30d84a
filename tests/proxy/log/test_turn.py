from __future__ import annotations

import json

import pytest
from llm.parts import Message
from support.logged_turns import assistant, turn, user


def test_an_answer_without_parts_is_empty() -> None:
    assert turn(user("Hi"), answer=Message("assistant", [])).answer == []


@pytest.mark.parametrize("parsed", [None, {"messages": [1, 2, 3]}], ids=["text", "parsed"])
@pytest.mark.parametrize(("new_messages", "left"), [(3, [1, 2, 3]), (2, [2, 3]), (1, [3])])
def test_only_entries_of_new_messages_are_kept(parsed: object, new_messages: int, left: list[int]) -> None:
    body = json.dumps({"messages": [1, 2, 3]})
    request = turn(user("a"), assistant("b"), user("c"), body=body, parsed=parsed).request
    short = request.shorten(new_messages)
    assert (short.content, len(short.sent), short.left_out) == ({"messages": left}, len(left), 3 - len(left))
    assert short.shorten(1).left_out == 2
