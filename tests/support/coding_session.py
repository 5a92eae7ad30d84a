"""A coding agent's session with a server, and other apps beside it, for pictures of its pages.

session = CodingSession(url, engine)
session.play_ended()
with session.running(): ...  # one request thinks, one writes, one calls a tool, one waits
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from support.dictated_engine import Call, DictatedEngine

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
# Seconds between two words, about as fast as gpt-oss-20b on a small GPU.
PACE = 0.02


def _tool(name: str, **parameters: str) -> dict[str, Any]:
    properties = {each: {"type": type} for each, type in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = [
    _tool("read_file", path="string"),
    _tool("run_tests", path="string"),
    _tool("apply_patch", path="string", patch="string"),
]
SYSTEM = "You are a coding agent in the repository `calendar`. Read before you write, and run the tests."
QUESTION = "`parse_date` fails for `2026-W05`. Find out why and fix it, with a test."
SOURCE = """import re
from datetime import date

DATE = re.compile(r"(\\d{4})-(\\d{2})-(\\d{2})", re.ASCII)


def parse_date(text: str) -> date:
    "Return the day that an ISO date names. Raises ValueError for another text."
    if match := DATE.fullmatch(text):
        return date(*map(int, match.groups()))
    raise ValueError(f"{text!r} is not a date")
"""
FAILED = """tests/test_dates.py F
    def test_week() -> None:
>       assert parse_date("2026-W05") == date(2026, 1, 26)
E       ValueError: '2026-W05' is not a date
1 failed, 11 passed in 0.18s"""
PATCH = """@@ -4 +4,2 @@
 DATE = re.compile(r"(\\d{4})-(\\d{2})-(\\d{2})", re.ASCII)
+WEEK = re.compile(r"(\\d{4})-W(\\d{2})", re.ASCII)
@@ -9 +10,2 @@
+    if match := WEEK.fullmatch(text):
+        return date.fromisocalendar(*map(int, match.groups()), 1)
"""
SUMMARY = """The pattern only knew calendar dates, so **week dates never matched**.

`parse_date` now reads them, too, and returns the Monday of the week:

| text | day |
|---|---|
| `2026-01-26` | Monday, 26 January |
| `2026-W05` | Monday, 26 January |

All 12 tests pass."""
THINKING = (
    "The patch is in. The week pattern accepts W00 and W54, which fromisocalendar rejects with a ValueError, "
    "so the promise of the docstring holds. I should still add a test for the last week of a long year, "
    "because 2026 has 53 weeks and that is where off by one errors hide. "
)
WRITING = (
    "Here is the summary of the meeting. The release moves to Thursday, because the migration needs one more "
    "rehearsal. Ada writes the announcement, Linus checks the rollback, and Grace keeps the old cluster for "
    "a week. "
)


def _analysis(text: str) -> str:
    return f"<|channel|>analysis<|message|>{text}<|end|><|start|>assistant"


def _call(name: str, **arguments: str) -> str:
    text = json.dumps(arguments)
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{text}"


def _final(text: str) -> str:
    return f"<|channel|>final<|message|>{text}"


class CodingSession:
    def __init__(self, url: str, engine: DictatedEngine, keys: dict[str, str]) -> None:
        "`keys` has a key for each app, by its name."
        self._engine = engine
        self._keys = keys
        self._http = httpx.Client(base_url=url, timeout=60)
        self._threads = ThreadPoolExecutor(8)
        self._calls = 0
        self._messages: list[Any] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": QUESTION},
        ]

    def close(self) -> None:
        self._threads.shutdown()
        self._http.close()

    def play_ended(self) -> None:
        "The requests that have ended: the agent's steps, and one of an editor."
        steps = [
            (
                _analysis("First I read the parser and its tests.") + _call("read_file", path="src/dates.py"),
                SOURCE,
            ),
            (
                _analysis("No pattern for weeks. Let me see what the tests expect.")
                + _call("run_tests", path="tests/test_dates.py"),
                FAILED,
            ),
            (
                _analysis("date.fromisocalendar does the arithmetic, and checks the number of the week.")
                + _call("apply_patch", path="src/dates.py", patch=PATCH),
                "1 file changed",
            ),
            (_analysis("Run them again.") + _call("run_tests", path="tests"), "12 passed in 0.21s"),
        ]
        for text, result in steps:
            message = self._play(self._agent(), text)["choices"][0]["message"]
            call_id = message["tool_calls"][0]["id"]
            self._messages += [message, {"role": "tool", "tool_call_id": call_id, "content": result}]
        self._play(self._agent(), _analysis("Done. Say what was wrong.") + _final(SUMMARY))
        editor = self._ask(
            RESPONSES,
            {"input": "Name this function: def f(x): return x * x", "reasoning": {"effort": "low"}},
            "Zed/0.230.1",
        )
        self._play(editor, _final("`square`"))

    @contextmanager
    def running(self) -> Iterator[None]:
        "Four requests that are in the middle of something. They end when the context does."
        self._messages.append({"role": "user", "content": "Add a test for the last week of a long year."})
        answers = []
        texts = [
            (self._agent, _analysis(THINKING)[: -len("<|end|><|start|>assistant")]),
            (self._notes, _final(WRITING)),
            (
                self._agent,
                _analysis("A patch.") + _call("apply_patch", path="tests/test_dates.py", patch=PATCH),
            ),
        ]
        calls = []
        for ask, _ in texts:
            answers.append(ask())
            calls.append(self._next_call())
        answers.append(
            self._ask(MESSAGES, {"max_tokens": 900, "messages": [self._messages[1]]}, "claude-cli/2.1.0")
        )
        for call, (_, text) in zip(calls, texts, strict=True):
            self._dictate(call, text)
        yield
        calls[0].say("<|end|><|start|>assistant" + _final("Added."))
        for call in calls:
            call.end()
        last = self._next_call()
        last.say(_final("Later."))
        last.end()
        for answer in answers:
            answer.result()

    def _agent(self) -> Future[Any]:
        body = {"messages": self._messages, "tools": TOOLS, "reasoning_effort": "high"}
        return self._ask(CHAT, body, "opencode/1.2.0")

    def _notes(self) -> Future[Any]:
        body = {
            "messages": [{"role": "user", "content": "Summarise the meeting."}],
            "reasoning_effort": "low",
        }
        return self._ask(CHAT, body, "OpenWebUI/0.9")

    def _ask(self, path: str, body: Any, app: str) -> Future[Any]:
        headers = {"user-agent": app, "x-api-key": self._keys[app.partition("/")[0]]}
        return self._threads.submit(
            self._http.post, path, json={"model": "gpt-oss:20b", **body}, headers=headers
        )

    def _play(self, answer: Future[Any], text: str) -> Any:
        call = self._next_call()
        self._dictate(call, text)
        call.end()
        return answer.result().raise_for_status().json()

    def _next_call(self) -> Call:
        self._calls += 1
        return self._engine.call(self._calls - 1)

    def _dictate(self, call: Call, text: str) -> None:
        words = text.split(" ")
        for index, word in enumerate(words):
            call.say(word if index == 0 else f" {word}")
            time.sleep(PACE)
