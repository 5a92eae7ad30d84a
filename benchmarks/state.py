"""What it costs to find something in a long log: p50 and p99 of what the stateful endpoints do there.

    python benchmarks/state.py --turns 1000000

Makes a log of that many turns in a folder of its own (about 2 GB for a million), and deletes it; `--log`
names a file that is kept. Measured is the work in the proxy's own process, by the clock: a response
retrieved, its input items, going on from it, going on from a history of 20 messages that is sent whole, a
page of stored completions, the items of a conversation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from llm.logs import message_hash
from llm.parts import Message, TextPart

from llm_gpt_oss.completion import Completion, Done, Piece
from proxy.app import create_app
from proxy.log.database import open_log
from proxy.log.fingerprint import prefix_hashes
from proxy.settings import Settings

TARGET = 50
TURNS_A_THREAD = 10
BATCH = 2000  # threads
FIRST = 0x01_90_00_00_00_00_00_00_00_00_00_00_00_00_00_00
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def ulid(number: int) -> str:
    value, written = FIRST + number, ""
    for _ in range(26):
        value, digit = divmod(value, 32)
        written = DIGITS[digit] + written
    return written


def said(role: str, number: int) -> Message:
    return Message(role, [TextPart(f"{role} {number} " + "word " * 30)])


def text_of(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def conversation(thread: int) -> list[Message]:
    first = thread * TURNS_A_THREAD
    return [said(role, first + n) for n in range(TURNS_A_THREAD) for role in ("user", "assistant")]


ROWS = {
    "threads": "insert into threads values (?, 'benchmark', ?, null, '2026-01-01')",
    "messages": "insert into messages values (?, ?, ?, null)",
    "parts": "insert into parts (message_hash, position, type, text) values (?, 0, 'text', ?)",
    "turns": "insert into turns (id, thread_id, parent_message_hash, tip_message_hash, model, options_json,"
    " input_tokens, output_tokens, duration_ms, datetime_utc, response_json) values"
    " (?, ?, ?, ?, 'gpt-oss:20b', '{}', 10, 20, 100, '2026-01-01T00:00:00+00:00', '{}')",
    "requests": "insert into gpt_oss_requests (turn_id, endpoint, status, stored, request, continues,"
    " datetime_utc, visible_tip, model, answer_id, first_input, finish_reason) values"
    " (?, ?, 200, 1, ?, 0, '2026-01-01', ?, 'gpt-oss', ?, ?, 'stop')",
}


def rows(thread: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    messages = conversation(thread)
    hashes: list[str | None] = [None]
    for message in messages:
        hashes.append(message_hash(message, hashes[-1]))
        yield "messages", (hashes[-1], hashes[-2], message.role)
        yield "parts", (hashes[-1], text_of(message))
    seen = [*prefix_hashes(messages)]
    thread_id = "00" + ulid(thread)[2:]
    yield "threads", (thread_id, hashes[-1])
    for n in range(TURNS_A_THREAD):
        turn_id = ulid(thread * TURNS_A_THREAD + n)
        chat = n % 2
        body = {"model": "gpt-oss", ("messages" if chat else "input"): []}
        endpoint = "/v1/chat/completions" if chat else "/v1/responses"
        yield "turns", (turn_id, thread_id, hashes[2 * n + 1], hashes[2 * n + 2])
        yield "requests", (turn_id, endpoint, json.dumps(body), seen[2 * n + 1], turn_id, 2 * n)


def fill(path: Path, turns: int) -> None:
    connection = open_log(path).db.conn
    connection.execute("pragma synchronous = off")
    threads = iter(range(turns // TURNS_A_THREAD))
    while batch := [*islice(threads, BATCH)]:
        made: dict[str, list[tuple[Any, ...]]] = {table: [] for table in ROWS}
        for thread in batch:
            for table, row in rows(thread):
                made[table].append(row)
        with connection:
            for table, sql in ROWS.items():
                connection.executemany(sql, made[table])
        if sys.stderr.isatty():
            print(f"\r{(batch[-1] + 1) * TURNS_A_THREAD:,} of {turns:,} turns", end="", file=sys.stderr)
    connection.close()
    os.sync()  # or what is measured waits for the disk to take all this


class Quick:
    "An engine that says hello."

    async def complete(self, completion: Completion) -> Any:
        yield Piece("<|channel|>final<|message|>Hello")
        yield Done("stop", prompt_tokens=1, completion_tokens=1)


async def measured(path: Path, turns: int, rounds: int) -> dict[str, list[float]]:
    app = create_app(Settings(database=path, model="gpt-oss:20b"), engine=Quick())  # type: ignore[arg-type]
    draw = random.Random(1)
    threads = turns // TURNS_A_THREAD
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):

        def response() -> str:
            return f"resp_{ulid(draw.randrange(threads) * TURNS_A_THREAD + TURNS_A_THREAD - 2)}"

        def asked(**fields: Any) -> Awaitable[httpx.Response]:
            return client.post("/v1/responses", json={"model": "gpt-oss", **fields})

        def history() -> list[dict[str, Any]]:
            sent = conversation(draw.randrange(threads))
            return [{"role": each.role, "content": text_of(each)} for each in sent]

        def thread() -> str:
            return "conv_00" + ulid(draw.randrange(threads))[2:]

        more = {"role": "user", "content": "And now?"}
        work: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "retrieve": lambda: client.get(f"/v1/responses/{response()}"),
            "input items": lambda: client.get(f"/v1/responses/{response()}/input_items"),
            "go on from a response": lambda: asked(input="And now?", previous_response_id=response()),
            "go on from 20 messages": lambda: asked(input=[*history(), more]),
            "a page of completions": lambda: client.get("/v1/chat/completions"),
            "items of a conversation": lambda: client.get(f"/v1/conversations/{thread()}/items"),
        }
        return {name: [await _timed(each) for _ in range(rounds)] for name, each in work.items()}


async def _timed(work: Callable[[], Awaitable[httpx.Response]]) -> float:
    began = time.perf_counter()
    answer = await work()
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--log", type=Path, help="made there, kept, and used again")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.log or Path(folder, "logs.db")
        if not path.exists():
            fill(path, given.turns)
        times = asyncio.run(measured(path, given.turns, given.rounds))
    table = {
        name: (sorted(each)[len(each) // 2], sorted(each)[int(len(each) * 0.99)])
        for name, each in times.items()
    }
    if given.json:
        print(json.dumps({name: {"p50_ms": p50, "p99_ms": p99} for name, (p50, p99) in table.items()}))
        return
    print(f"\n{given.turns:,} turns{'':20}{'p50':>10}{'p99':>10}   target: {TARGET} ms")
    for name, (p50, p99) in table.items():
        print(f"{name:30}{p50:8.1f} ms{p99:7.1f} ms   {'met' if p99 <= TARGET else 'missed'}")


if __name__ == "__main__":
    main()
