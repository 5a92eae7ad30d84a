"Requests and answers that cost more work than their size: findings 1 to 3."

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from support.faults.answers import HELLO, tool
from support.faults.client import CHAT, RESPONSES, Answer, chat
from support.faults.ollama import BEGIN, END, token
from support.faults.process import ROOT, Server, run
from support.faults.row import Unexpected, expect, expect_at_most, row
from support.faults.testbed import GENEROUS, Limits, Testbed
from support.scripted_server import chunk, head, stream

PROBE_PAUSE = 0.05  # seconds


class Probe:
    "`slowest` is the longest time that `/health` took, in seconds, of at least one request."

    def __init__(self) -> None:
        self.slowest = 0.0


@contextmanager
def probing(server: Server, limits: Limits) -> Iterator[Probe]:
    "Request `/health` every 50 ms until the block ends. Raises Unexpected if an answer took too long."
    probe, over = Probe(), Event()

    def request_health() -> None:
        while not over.wait(PROBE_PAUSE):
            started = time.monotonic()
            server.client.get("/health")
            probe.slowest = max(probe.slowest, time.monotonic() - started)

    server.client.get("/health")
    thread = Thread(target=request_health)
    thread.start()
    try:
        yield probe
    finally:
        over.set()
        thread.join()
    expect_at_most("seconds that /health took", probe.slowest, limits.health)


def outcomes(bed: Testbed, requests: dict[str, Callable[[Server], Answer]]) -> str:
    "Send each request while `/health` is probed. No answer may be a 5xx or take too long."
    came = []
    with bed.serving() as server:
        for name, request in requests.items():
            with probing(server, bed.limits) as probe:
                started = time.monotonic()
                answer = request(server)
                seconds = time.monotonic() - started
            expect_at_most(f"seconds for {name}", seconds, bed.limits.answer)
            if answer.status >= 500:
                raise Unexpected(f"{name}: {answer.status} {answer.text[:300]}")
            came.append(
                f"{name}: {answer.status} in {seconds:.1f} s, /health in {probe.slowest * 1000:.0f} ms"
            )
        server.log.check()
    return "; ".join(came)


@row("1", alone=True)
def long_runs_in_what_a_client_sends(bed: Testbed) -> str:
    "200,000 spaces after `#`; 12,000 tools of one plain name; 5,000 calls in a message; 20,000 messages."
    spaces, tools, calls, messages = (bed.ollama.play(HELLO) for _ in range(4))
    names = [f"get{separator}{number}" for number in range(6_000) for separator in "._"]
    same = [{"type": "function", "function": {"name": name}} for name in names]
    made = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for number in range(5_000)
    ]
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": made},
        *({"role": "tool", "tool_call_id": call["id"], "content": "blue"} for call in made),
        {"role": "user", "content": calls.word},
    ]
    row_of_answers = [{"role": "assistant", "content": f"Answer {number}"} for number in range(20_000)]
    last = {"role": "user", "content": messages.word}
    requests: dict[str, Callable[[Server], Answer]] = {
        "spaces": lambda server: server.client.chat("#" + " " * 200_000 + f"x {spaces.word}"),
        "tools": lambda server: server.client.chat(tools.word, tools=same),
        "calls": lambda server: server.client.chat("", messages=history, tools=[tool("look")]),
        "messages": lambda server: server.client.chat("", messages=[*row_of_answers, last]),
    }
    return outcomes(bed, requests)


@row("1", alone=True)
def a_log_that_holds_such_a_message(bed: Testbed) -> str:
    "The server is killed while it answers a message of `#`, 200,000 spaces and `x`, and starts again."
    script = bed.ollama.play(stream(*BEGIN, 30.0, END))
    with bed.serving() as server:
        text = "#" + " " * 200_000 + f"x {script.word}"
        data = server.client.raw_post(CHAT, chat(text, stream=True))
        with server.client.connection(data) as connection:
            while b"Hello" not in connection.recv(4096):
                pass
            server.kill()
    with bed.serving(folder=server.folder) as server, probing(server, bed.limits) as probe:
        expect("status in the log", server.log.turn(script.word).status, 500)
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
    return f"the turn is in the log as failed, /health in {probe.slowest * 1000:.0f} ms"


@row("1", alone=True)
def long_runs_in_what_the_engine_sends(bed: Testbed) -> str:
    "A line without an end, and an answer of 8 MB."

    def endless_line() -> Iterator[bytes]:
        yield head(200, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
        yield chunk(b'{"response": "')
        while True:
            yield chunk(b"word " * 20_000)

    with bed.serving() as server:
        endless = bed.ollama.play(endless_line())
        with probing(server, bed.limits) as probe:
            came = server.client.chat(endless.word)
            endless.wait_until_gone()
        expect("status of the line without an end", came.status, 502)
        memory = server.megabytes("VmHWM")
        expect_at_most("MB of memory", memory, 600)
        long = bed.ollama.play(stream(*BEGIN[:3], *[token("word " * 1_600)] * 1_000, END))
        with probing(server, bed.limits) as second:
            started = time.monotonic()
            answer = server.client.chat(long.word)
            seconds = time.monotonic() - started
        expect("length of the long answer", len(answer.content), 8_000_000)
        expect_at_most("seconds for 8 MB", seconds, bed.limits.answer)
        server.log.turn(long.word)
    return (
        f"502 and closed: {came.error['message']} {memory:.0f} MB, /health in {probe.slowest * 1000:.0f} ms; "
        f"8 MB in {seconds:.1f} s, /health in {second.slowest * 1000:.0f} ms"
    )


@row("2", alone=True)
def schemas_that_are_costly_to_check(bed: Testbed) -> str:
    'Schemas with 6,000 objects in `"type"`, as format, `text.format` and tool; a pattern that backtracks.'
    costly = {"type": [{name: 0} for name in ("a", "b")] * 3_000}
    draft_4 = {"$schema": "http://json-schema.org/draft-04/schema#", "enum": [{"a": 0}, {"b": 1}] * 3_000}
    backtracking = {"type": "string", "pattern": "^(a+)+$"}
    evil = json.dumps("a" * 40 + "!")
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": costly}}
    pattern = {"type": "json_schema", "json_schema": {"name": "a", "schema": backtracking}}
    old = {"type": "json_schema", "json_schema": {"name": "a", "schema": draft_4}}
    text = {"format": {"type": "json_schema", "name": "a", "schema": costly}}
    defined = {"type": "function", "function": {"name": "look", "parameters": {"properties": {"a": costly}}}}

    def script(*parts: str) -> str:
        return bed.ollama.play(*parts, *[HELLO] * 4).word

    requests: dict[str, Callable[[Server], Answer]] = {
        "response_format": lambda server: server.client.chat(script(), response_format=form),
        "text.format": lambda server: server.client.post(
            RESPONSES, {"model": "gpt-oss", "input": script(), "text": text}
        ),
        "tool": lambda server: server.client.chat(script(), tools=[defined]),
        "draft-04": lambda server: server.client.chat(
            script('{"a": 0}', '{"a": 0}'), response_format=old, reasoning_effort="none"
        ),
        "pattern": lambda server: server.client.chat(
            script(evil, evil, evil), response_format=pattern, reasoning_effort="none"
        ),
    }
    return outcomes(bed, {name: _without_bad_answer(request) for name, request in requests.items()})


def _without_bad_answer(request: Callable[[Server], Answer]) -> Callable[[Server], Answer]:
    "That an answer does not fit its schema is what these scripts are about, and no failure of the server."

    def send(server: Server) -> Answer:
        came = request(server)
        is_misfit = came.status == 502 and came.error.get("code") == "bad_answer"
        return Answer(422, came.headers, came.body) if is_misfit else came

    return send


@row("3", alone=True)
def drawn_attacks(bed: Testbed) -> str:
    "`make attack` for 9 seconds: bodies that are built to be bad, while a probe requests `/health`."
    command = [sys.executable, str(ROOT / "scripts/attack.py")]
    arguments = ["--minutes", "0.15", "--seed", "3"]
    if bed.limits is GENEROUS:
        arguments.append("--generous")
    ran = run(bed.folder(), bed.ollama.url, *arguments, command=command)
    if ran.status:
        raise Unexpected(f"exit status {ran.status}: {ran.stdout[-2000:]} {ran.stderr[-500:]}")
    return ran.stdout.strip().splitlines()[-1]
