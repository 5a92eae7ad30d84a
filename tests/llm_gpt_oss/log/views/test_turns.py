from __future__ import annotations

from typing import Any

import pytest
from llm.parts import AttachmentPart, Message, TextPart
from llm.utils import Fragment
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.view_logs import ViewLog

from llm_gpt_oss.log.views.turns import PROMPT_DISTANCE

OUTCOME = {"outcome": {"finish_reason": "stop", "notes": []}}
HI, HELLO = user("Hi"), assistant(reasoning("Hm."), "Hello.")


def test_a_turn_of_the_shell(log: ViewLog) -> None:
    written = log.shell("t1", system("Be kind"), HI, answer=HELLO)
    details = {
        "reasoning_tokens": 3,
        "cached_tokens": 5,
        "load_ms": 1,
        "prompt_ms": 2,
        "completion_ms": 4,
        "tokens_per_second": 80.5,
        "time_to_first_token_ms": 90,
    }
    response = {"outcome": {"finish_reason": "stop", "notes": []}, "engine": "ollama"}
    log.set(written, response_json=response, token_details=details, input_tokens=70, output_tokens=10)
    (row,) = log.db.query("select * from gpt_oss_turns")
    assert row == {
        "turn_id": written.id,
        "thread_id": "t1",
        "thread_name": "A name",
        "datetime_utc": "2026-08-01T00:00:00+00:00",
        "gpt_oss": 1,
        "benchmark": 0,
        "app": "shell",
        "client": None,
        "actor": None,
        "endpoint": None,
        "model": "gpt-oss:20b",
        "engine": "ollama",
        "effort": "medium",
        "status": None,
        "error": None,
        "finish_reason": "stop",
        "notes": None,
        "deleted": 0,
        "input_tokens": 70,
        "cached_tokens": 5,
        "output_tokens": 10,
        "reasoning_tokens": 3,
        "answer_tokens": 7,
        "queue_ms": None,
        "first_token_ms": 90,
        "load_ms": 1,
        "prompt_ms": 2,
        "completion_ms": 4,
        "tokens_per_second": 80.5,
        "duration_ms": 250,
        "prompt": "Hi",
        "reasoning": "Hm.",
        "answer": "Hello.",
    }


def test_a_turn_of_an_app(log: ViewLog) -> None:
    request = {"actor": "laptop:9f86d081", "client": "editor/1.2 (x)", "queue_ms": 4, "first_token_ms": 60}
    written = log.write(HI, answer=HELLO, finish_reason="length", **request)
    log.set(written, token_details={"time_to_first_token_ms": 50}, options_json={"reasoning_effort": "xhigh"})
    columns = "app, client, actor, endpoint, status, effort, finish_reason, queue_ms, first_token_ms"
    assert log.all("gpt_oss_turns", columns) == [
        (
            *("editor", "editor/1.2 (x)", "laptop:9f86d081", "/v1/chat/completions", 200, "xhigh", "length"),
            *(4, 60),
        )
    ]


@pytest.mark.parametrize(
    ("client", "app"),
    [
        pytest.param("OpenAI/Python 1.2", "OpenAI", id="a product with a version"),
        pytest.param("my tool", "my", id="without a version"),
        pytest.param("editor", "editor", id="one word"),
        pytest.param("", "unknown", id="empty"),
        pytest.param("/1", "unknown", id="only a version"),
        pytest.param(None, "unknown", id="no User-Agent"),
    ],
)
def test_the_app_is_the_product(log: ViewLog, client: str | None, app: str) -> None:
    log.write(HI, answer=HELLO, client=client)
    assert log.all("gpt_oss_turns", "app") == [app]


def test_failures_of_apps_and_of_the_shell(log: ViewLog) -> None:
    log.write(HI, status=499, error="The client disconnected.")
    log.set(log.shell("t1", HI), response_json={"error": "interrupted"})
    assert log.all("gpt_oss_turns", "app, status, error, answer, prompt") == [
        ("unknown", 499, "The client disconnected.", None, "Hi"),
        ("shell", None, "interrupted", None, "Hi"),
    ]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(OUTCOME, (1, 0, None), id="ours"),
        pytest.param({"id": "chatcmpl-1"}, (0, 0, None), id="another plugin's"),
        pytest.param('{"a": NaN}', (0, 0, None), id="not JSON"),
        pytest.param({**OUTCOME, "benchmark": True}, (1, 1, None), id="a benchmark"),
        pytest.param({**OUTCOME, "benchmark": {"prompt": 500}}, (1, 1, None), id="a benchmark with details"),
        pytest.param({**OUTCOME, "benchmark": False}, (1, 0, None), id="no benchmark"),
        pytest.param(
            {"outcome": {"notes": [{"kind": "renamed", "raw": "x"}, {"kind": "repaired"}]}},
            (1, 0, "renamed, repaired"),
            id="notes",
        ),
    ],
)
def test_what_the_response_says(log: ViewLog, response: Any, expected: tuple[Any, ...]) -> None:
    log.set(log.shell("t1", HI, answer=HELLO), response_json=response)
    assert log.all("gpt_oss_turns", "gpt_oss, benchmark, notes") == [expected]


def test_the_effort_of_another_model_is_unknown(log: ViewLog) -> None:
    log.shell("t1", HI, answer=HELLO)
    assert log.all("gpt_oss_turns", "effort") == [None]


def test_a_turn_that_the_api_deleted(log: ViewLog) -> None:
    log.db["gpt_oss_requests"].update(log.write(HI, answer=HELLO).id, {"deleted": 1})
    assert log.all("gpt_oss_turns", "deleted") == [1]


def test_the_prompt_of_a_turn_that_follows_a_tool(log: ViewLog) -> None:
    log.shell("t1", user("First"), HELLO, HI, assistant(call("1", a=2)), result("1", "x"), answer=HELLO)
    assert log.all("gpt_oss_turns", "prompt") == ["Hi"]


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        pytest.param(PROMPT_DISTANCE, "Hi", id="as far as it is searched"),
        pytest.param(PROMPT_DISTANCE + 1, None, id="farther"),
    ],
)
def test_the_prompt_is_searched_so_far(log: ViewLog, messages: int, prompt: str | None) -> None:
    log.shell("t1", HI, *(result(str(number), "x") for number in range(messages)), answer=HELLO)
    assert log.all("gpt_oss_turns", "prompt") == [prompt]


def test_a_turn_without_a_user(log: ViewLog) -> None:
    log.shell("t1", system("Say something"), answer=HELLO)
    assert log.all("gpt_oss_turns", "prompt, answer") == [(None, "Hello.")]


def test_the_text_of_fragments_is_resolved(log: ViewLog) -> None:
    fragment = Fragment("A long text", "file.txt")  # type: ignore[no-untyped-call]
    tip = log.store.ensure_chain([user("Read: A long text. Then answer.")], fragments=[fragment])
    log.set(log.shell("t1", HI, answer=HELLO), parent_message_hash=tip)
    assert log.all("gpt_oss_turns", "prompt") == ["Read: A long text. Then answer."]


def test_several_parts_are_lines(log: ViewLog) -> None:
    parts = [TextPart("One"), TextPart("Two")]
    log.shell("t1", Message("user", parts), answer=assistant("Three", reasoning("Hm."), "Four"))
    assert log.all("gpt_oss_turns", "prompt, reasoning, answer") == [("One\nTwo", "Hm.", "Three\nFour")]


def test_attachments_are_no_text(log: ViewLog) -> None:
    from llm import Attachment

    part = AttachmentPart(attachment=Attachment(content=b"x", type="image/png"))
    log.shell("t1", Message("user", [part, TextPart("Look")]), answer=HELLO)
    assert log.all("gpt_oss_turns", "prompt") == ["Look"]
