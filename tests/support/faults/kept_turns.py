"Turns that cannot be written at once, and what the server says about it: findings 10, 11, 13, 14 and 18."

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from support.faults.answers import HELLO
from support.faults.client import RESPONSES, response
from support.faults.log import Log
from support.faults.log_faults import locked
from support.faults.ollama import BEGIN
from support.faults.process import limited
from support.faults.row import Unexpected, expect, expect_at_most, expect_in, row, wait_for
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

GONE = "The server stopped before the answer was complete."
PROCESS_ID = re.compile(r"(?<=\.)\d+(?=\.)")


@row("10")
def a_process_id_that_belongs_to_another(bed: Testbed) -> str:
    "The server is killed in the middle of a response, and its process id is given to a program that runs."
    held = bed.ollama.play(stream(*BEGIN, HOLD))
    with bed.serving() as server, server.client.stream(RESPONSES, response(held.word)) as came:
        came.read_until("Hello")
        id = came.events[0]["response"]["id"]
        wait_for("a file in the spool", server.spooled)
        server.kill()
    for path in [*server.spool.iterdir()]:
        path.rename(path.with_name(PROCESS_ID.sub(str(os.getpid()), path.name)))
    with bed.serving(folder=server.folder) as server:
        retrieved = wait_for("an end", lambda: _ended(server.client.get(f"/v1/responses/{id}").json()))
        expect(
            "status of the response", (retrieved["status"], retrieved["error"]["message"]), ("failed", GONE)
        )
        with server.client.stream(RESPONSES, response("Hi", previous_response_id=id)) as refused:
            expect("status of its continuation", refused.status, 400)
        expect("status in the log", server.log.turn(held.word).status, 500)
        expect("files in the spool", server.spooled(), [])
    return f"the response has failed: {GONE}"


def _ended(retrieved: dict[str, object]) -> dict[str, object] | None:
    return retrieved if retrieved.get("status") not in ("in_progress", "queued", None) else None


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    "Neither the database nor the spool can be written, until the block ends."
    spool = folder / "logs.db-unlogged"
    spool.mkdir(exist_ok=True)
    spool.chmod(0o500)
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)
        spool.chmod(0o700)


@row("11")
def neither_database_nor_spool(bed: Testbed) -> str:
    "Both cannot be written. Three responses are created; the server is stopped; both can be written again."
    folder = bed.folder()
    with bed.serving(folder=folder, prefix=limited("capabilities")) as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        with unwritable(folder):
            words = [bed.ollama.play(HELLO).word for _ in range(3)]
            ids = [server.client.respond(word).json()["id"] for word in words]
            for id in ids:
                expect("status of a GET", server.client.get(f"/v1/responses/{id}").status, 200)
            health = server.client.get("/health").json()
            expect("status of /health", health["status"], "degraded")
            server.process.terminate()
            time.sleep(2)
            expect("has ended", server.process.poll(), None)
        expect("exit status", server.wait(), 0)
    for word in words:
        expect("status in the log", server.log.turn(word).status, 200)
    return f"found by GET; /health: {health['log']}; the stop waited, and all three are in the log"


@row("11")
def turns_that_are_given_up(bed: Testbed) -> str:
    "The same, but a second signal comes before anything can be written."
    folder = bed.folder()
    with bed.serving(folder=folder, prefix=limited("capabilities")) as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        with unwritable(folder):
            for _ in range(3):
                expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
            server.process.terminate()
            time.sleep(2)
            expect("has ended", server.process.poll(), None)
            server.process.terminate()
            status = server.wait()
        line = server.output.strip().splitlines()[-1]
        if status == 0:
            raise Unexpected(f"exit status 0: {line}")
        expect_in("last line", "3 turns", line)
    return f"exit status {status}: {line}"


@row("13")
def a_log_that_is_read_only_at_the_start(bed: Testbed) -> str:
    "The log is read-only when the server starts, and becomes writable while it runs."
    with bed.serving() as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        expect("exit status", server.stop(), 0)
    server.log.path.chmod(0o444)
    with bed.serving(folder=server.folder, prefix=limited("capabilities")) as server:
        words = [bed.ollama.play(HELLO).word for _ in range(2)]
        expect("answer", server.client.chat(words[0]).content, "Hello")
        expect("turns in the log", server.log.turns(words[0]), [])
        server.log.path.chmod(0o600)
        expect("answer", server.client.chat(words[1]).content, "Hello")
        for word in words:
            server.log.turn(word)
        expect("/health", server.client.get("/health").json()["log"], "ok")
    return "both turns are in the log, without a restart"


@row("13")
def strange_files_in_the_spool(bed: Testbed) -> str:
    "The spool has a folder, a broken file and a draft, and a turn that waits."
    script = bed.ollama.play(stream(*BEGIN, HOLD))
    with bed.serving() as server, server.client.stream(RESPONSES, response(script.word)) as came:
        came.read_until("Hello")
        server.kill()
    spool = server.spool
    (spool / "01folder.json").mkdir()
    (spool / "02broken.json").write_text("{")
    (spool / "03draft.1.draft").write_text("{")
    with bed.serving(folder=server.folder) as server:
        word = bed.ollama.play(HELLO).word
        expect("answer", server.client.chat(word).content, "Hello")
        server.log.turn(word)
        expect("status in the log", server.log.turn(script.word).status, 500)
        health = server.client.get("/health").text
        for name in ("01folder", "02broken"):
            expect_in("/health", name, health)
        left = server.spooled()
        expect("drafts", [name for name in left if "draft" in name], [])
    return f"the turn that waited is in the log; left in the spool: {left}; /health: {health}"


@row("13")
def turns_that_the_database_rejects(bed: Testbed) -> str:
    "A trigger rejects all turns of two prompts, and is gone at the third."
    folder = bed.folder()
    log = Log(folder / "logs.db")

    def prompt() -> str:
        word = bed.ollama.play(HELLO).word
        expect("output", bed.llm("-m", "gpt-oss", word, folder=folder).stdout, "Hello\n")
        return word

    prompt()
    with closing(sqlite3.connect(log.path)) as database:
        database.execute("create trigger no before insert on turns begin select raise(abort, 'Never!'); end")
        words = [prompt(), prompt()]
        status = bed.llm("gpt-oss", "status", folder=folder)
        expect_in("status", "llm gpt-oss logs waiting --retry", status.stderr)
        listed = bed.llm("gpt-oss", "logs", "waiting", folder=folder)
        expect("reasons", listed.stdout.count("cannot be logged: Never!"), 2)
        database.execute("drop trigger no")
    retried = bed.llm("gpt-oss", "logs", "waiting", "--retry", folder=folder)
    expect("exit status", retried.status, 0)
    for word in words:
        log.turn(word)
    return f"{listed.stdout.strip()}; afterwards: {retried.stdout.strip()}"


@row("14")
def reads_of_a_locked_log(bed: Testbed) -> str:
    "Another program locks the log, and 8 clients retrieve a response at once."
    with bed.serving() as server:
        id = server.client.respond(bed.ollama.play(HELLO).word).json()["id"]
        path = f"/v1/responses/{id}"
        expect("status", server.client.get(path).status, 200)
        with locked(server.log.path), ThreadPoolExecutor(8) as executor:
            started = time.monotonic()
            came = [*executor.map(lambda _: server.client.get(path), range(8))]
            seconds = time.monotonic() - started
        statuses = {(answer.status, "retry-after" in answer.headers) for answer in came}
        expect("statuses, and whether they have Retry-After", statuses, {(503, True)})
        expect_at_most("seconds", seconds, 15)
        expect("status afterwards", server.client.get(path).status, 200)
    return f"503 with Retry-After after {seconds:.1f} s: {came[0].error['message']}"


@row("18")
def a_status_that_is_loud(bed: Testbed) -> str:
    "A turn waits because the log is locked: `/health`, and `llm gpt-oss status`."
    with bed.serving() as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        expect("status of /health", server.client.get("/health").json()["status"], "ok")
        with locked(server.log.path):
            expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
            health = server.client.get("/health").json()
            ran = bed.llm("gpt-oss", "status", folder=server.folder)
        expect("status of /health", health["status"], "degraded")
        expect_in("reason", "locked", json.dumps(health))
        expect_in("llm gpt-oss status", "1", ran.stdout)
        expect_in("llm gpt-oss status", "wait", ran.stdout + ran.stderr)
        server.client.chat(bed.ollama.play(HELLO).word)
        expect("status of /health", server.client.get("/health").json()["status"], "ok")
    line = next(line for line in (ran.stdout + ran.stderr).splitlines() if "wait" in line)
    return f"/health: {health['status']}, {health['log']}; the command: {line}"
