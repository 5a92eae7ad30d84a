"""How long the stateful endpoints take with a long log: p50 and p99.

    python benchmarks/state.py --turns 1000000

It writes a log with that many turns into a temporary folder (about 2 GB for a million) and deletes it
afterwards. `--log` names a file that is not deleted. It measures the elapsed time of requests inside this
process: retrieve a response, list its input items, continue from it, continue from a history of 20 messages
in the request, list stored completions, list the items of a conversation.
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

# Milliseconds at p99.
TARGET = 50
TURNS_A_THREAD = 10
BATCH = 2000  # threads
FIRST_ULID = 0x01_90_00_00_00_00_00_00_00_00_00_00_00_00_00_00
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def ulid(number: int) -> str:
    value, text = FIRST_ULID + number, ""
    for _ in range(26):
        value, digit = divmod(value, 32)
        text = DIGITS[digit] + text
    return text


def message_of(role: str, number: int) -> Message:
    return Message(role, [TextPart(f"{role} {number} " + "word " * 30)])


def text_of(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def conversation(thread: int) -> list[Message]:
    first = thread * TURNS_A_THREAD
    return [message_of(role, first + n) for n in range(TURNS_A_THREAD) for role in ("user", "assistant")]


INSERTS = {
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
    "Yield the rows of a thread, each with a key of INSERTS."
    messages = conversation(thread)
    hashes: list[str | None] = [None]
    for message in messages:
        hashes.append(message_hash(message, hashes[-1]))
        yield "messages", (hashes[-1], hashes[-2], message.role)
        yield "parts", (hashes[-1], text_of(message))
    visible_tips = [*prefix_hashes(messages)]
    thread_id = "00" + ulid(thread)[2:]
    yield "threads", (thread_id, hashes[-1])
    for n in range(TURNS_A_THREAD):
        turn_id = ulid(thread * TURNS_A_THREAD + n)
        chat = n % 2
        body = {"model": "gpt-oss", ("messages" if chat else "input"): []}
        endpoint = "/v1/chat/completions" if chat else "/v1/responses"
        yield "turns", (turn_id, thread_id, hashes[2 * n + 1], hashes[2 * n + 2])
        yield "requests", (turn_id, endpoint, json.dumps(body), visible_tips[2 * n + 1], turn_id, 2 * n)


def write_log(path: Path, turns: int) -> None:
    "Create the log."
    connection = open_log(path).db.conn
    connection.execute("pragma synchronous = off")
    threads = iter(range(turns // TURNS_A_THREAD))
    while batch := [*islice(threads, BATCH)]:
        batch_rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in INSERTS}
        for thread in batch:
            for table, row in rows(thread):
                batch_rows[table].append(row)
        with connection:
            for table, sql in INSERTS.items():
                connection.executemany(sql, batch_rows[table])
        if sys.stderr.isatty():
            print(f"\r{(batch[-1] + 1) * TURNS_A_THREAD:,} of {turns:,} turns", end="", file=sys.stderr)
    connection.close()
    os.sync()  # otherwise the requests would wait for the disk


class HelloEngine:
    "An engine that answers at once."

    async def complete(self, completion: Completion) -> Any:
        yield Piece("<|channel|>final<|message|>Hello")
        yield Done("stop", prompt_tokens=1, completion_tokens=1)


async def measure(path: Path, turns: int, rounds: int) -> dict[str, list[float]]:
    app = create_app(Settings(database=path, model="gpt-oss:20b"), engine=HelloEngine())  # type: ignore[arg-type]
    rng = random.Random(1)  # noqa: S311 (the same numbers each time)
    threads = turns // TURNS_A_THREAD
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):

        def response() -> str:
            return f"resp_{ulid(rng.randrange(threads) * TURNS_A_THREAD + TURNS_A_THREAD - 2)}"

        def create(**fields: Any) -> Awaitable[httpx.Response]:
            return client.post("/v1/responses", json={"model": "gpt-oss", **fields})

        def history() -> list[dict[str, Any]]:
            messages = conversation(rng.randrange(threads))
            return [{"role": message.role, "content": text_of(message)} for message in messages]

        def thread() -> str:
            return "conv_00" + ulid(rng.randrange(threads))[2:]

        question = {"role": "user", "content": "And now?"}
        requests: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "retrieve": lambda: client.get(f"/v1/responses/{response()}"),
            "input items": lambda: client.get(f"/v1/responses/{response()}/input_items"),
            "continue from a response": lambda: create(input="And now?", previous_response_id=response()),
            "continue from 20 messages": lambda: create(input=[*history(), question]),
            "a page of completions": lambda: client.get("/v1/chat/completions"),
            "items of a conversation": lambda: client.get(f"/v1/conversations/{thread()}/items"),
        }
        return {name: [await _timed(send) for _ in range(rounds)] for name, send in requests.items()}


async def _timed(send: Callable[[], Awaitable[httpx.Response]]) -> float:
    "Return the milliseconds that a request took."
    began = time.perf_counter()
    response = await send()
    milliseconds = (time.perf_counter() - began) * 1000
    assert response.status_code == 200, response.text
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--log", type=Path, help="a file for the log, which later runs use again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.log or Path(folder, "logs.db")
        if not path.exists():
            write_log(path, arguments.turns)
        times = asyncio.run(measure(path, arguments.turns, arguments.rounds))
    table = {
        name: (sorted(values)[len(values) // 2], sorted(values)[int(len(values) * 0.99)])
        for name, values in times.items()
    }
    if arguments.json:
        print(json.dumps({name: {"p50_ms": p50, "p99_ms": p99} for name, (p50, p99) in table.items()}))
        return
    print(f"\n{arguments.turns:,} turns{'':20}{'p50':>10}{'p99':>10}   target: {TARGET} ms")
    for name, (p50, p99) in table.items():
        print(f"{name:30}{p50:8.1f} ms{p99:7.1f} ms   {'met' if p99 <= TARGET else 'missed'}")


if __name__ == "__main__":
    main()
