"Whatever a client of Anthropic's API sends, the answer is valid or an error of the client."

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from support.anthropic_sdk import check_message
from support.anything import JSON
from support.fuzzed_app import FuzzedApp, one_app_for_all
from support.requests import asking

from proxy.api.anthropic.request import MessagesRequest

MINIMAL: dict[str, Any] = {
    "model": "gpt-oss",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}
# Words and keys that get a request further into the code than arbitrary ones.
WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "auto",
        "any",
        "tool",
        "f",
        "enabled",
        "adaptive",
        "json_schema",
        "custom",
    ]
)
KEYS = st.sampled_from(
    ["type", "role", "content", "name", "input", "input_schema", "id", "tool_use_id", "text", "thinking",
     "signature", "source", "schema", "properties", "budget_tokens", "effort", "format"]
)  # fmt: skip
NEARLY: SearchStrategy[Any] = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from(sorted(MessagesRequest.model_fields)), NEARLY, max_size=4)
TEXTS = st.text(max_size=5)
TEXT_BLOCKS = st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})
IMAGES = st.fixed_dictionaries({"type": st.just("image"), "source": JSON})
IDS = st.sampled_from(["toolu_1", "toolu_2"])
RESULTS = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": IDS},
    optional={"content": TEXTS | st.lists(TEXT_BLOCKS | IMAGES, max_size=2), "is_error": st.booleans()},
)
THOUGHTS = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXTS, "signature": TEXTS})
REDACTED = st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXTS})
CALLS = st.fixed_dictionaries(
    {"type": st.just("tool_use"), "id": IDS, "name": TEXTS, "input": st.dictionaries(TEXTS, JSON, max_size=2)}
)


def message(role: str, blocks: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    content = TEXTS | st.lists(blocks, max_size=3)
    return st.fixed_dictionaries({"role": st.just(role), "content": content})


CONVERSATIONS = st.lists(
    message("user", TEXT_BLOCKS | RESULTS)
    | message("user", IMAGES)
    | message("assistant", TEXT_BLOCKS | THOUGHTS | REDACTED | CALLS)
    | message("system", TEXT_BLOCKS),
    max_size=5,
)


class MessagesApp(FuzzedApp):
    "An app without a log, asked for messages."

    def __init__(self) -> None:
        super().__init__(asking())

    def status(self, body: bytes) -> int:
        answer = self.run(self.opened.post("/v1/messages", content=body))
        if answer.status_code == 200:
            check_message(answer.json())
        else:
            assert answer.json().keys() == {"type", "error", "request_id"}
            assert len(answer.content) < 2000
        return int(answer.status_code)


@pytest.fixture
def app() -> Iterator[MessagesApp]:
    app = MessagesApp()
    yield app
    app.close()


@one_app_for_all
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(app: MessagesApp, body: bytes) -> None:
    assert app.status(body) == 400


@one_app_for_all
@given(FIELDS)
def test_any_fields(app: MessagesApp, fields: dict[str, Any]) -> None:
    assert app.status(json.dumps({**MINIMAL, **fields}).encode()) in (200, 400, 404)


@one_app_for_all
@given(CONVERSATIONS)
def test_any_conversation(app: MessagesApp, messages: list[Any]) -> None:
    "Only an image in the newest message is refused."
    body = json.dumps({**MINIMAL, "messages": [*messages, *MINIMAL["messages"]]})
    assert app.status(body.encode()) == 200
    assert app.status(json.dumps({**MINIMAL, "messages": messages}).encode()) in (200, 400)
