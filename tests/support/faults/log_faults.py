"A log that cannot be written, and many that write it: rows F16 to F18 and F26."

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from support.faults.answers import HELLO
from support.faults.client import CHAT, chat
from support.faults.ollama import BEGIN
from support.faults.process import Server, limited
from support.faults.row import expect, expect_in, row, wait_for
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

# Seconds.
LOCKED = 10
PARALLEL, PROCESSES = 50, 4


@contextmanager
def locked(path: Path) -> Iterator[None]:
    "Hold an exclusive lock on the database, as a backup does."
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield
        other.execute("rollback")


def log_status(server: Server) -> str:
    return str(server.client.get("/health").json()["log"])


@row("F16")
def a_locked_log(bed: Testbed) -> str:
    "Another program locks the log for 10 seconds, while two prompts are answered."
    with bed.serving() as server:
        words = [bed.ollama.play(HELLO).word for _ in range(3)]
        expect("answer", server.client.chat(words[0]).content, "Hello")
        with locked(server.log.path):
            started = time.monotonic()
            for word in words[1:]:
                expect("answer", server.client.chat(word).content, "Hello")
            waited = time.monotonic() - started
            status = log_status(server)
            expect("files in the spool", len(server.spooled()), 2)
            time.sleep(max(0.0, LOCKED - waited))
        last = bed.ollama.play(HELLO).word
        expect("answer", server.client.chat(last).content, "Hello")
        for word in (*words, last):
            server.log.turn(word)
        expect("files in the spool", server.spooled(), [])
        server.log.check()
    return f"every answer came, meanwhile the status was: {status}; afterwards each turn is in the log once"


@row("F16")
def a_read_only_log(bed: Testbed) -> str:
    "The log is made read-only while the server runs, then writable again."
    with bed.serving(prefix=limited("capabilities")) as server:
        words = [bed.ollama.play(HELLO).word for _ in range(3)]
        expect("answer", server.client.chat(words[0]).content, "Hello")
        os.chmod(server.log.path, 0o444)
    # Once it is open, a database stays writable. So the server opens it again.
    folder = server.folder
    with bed.serving(folder=folder, prefix=limited("capabilities")) as server:
        expect("answer", server.client.chat(words[1]).content, "Hello")
        status = log_status(server)
        expect("turns in the log", len(server.log.turns(words[1])), 0)
        expect("files in the spool", len(server.spooled()), 1)
        os.chmod(server.log.path, 0o600)
        expect("exit status", server.stop(), 0)
    with bed.serving(folder=folder) as server:
        server.log.turn(words[1])
        expect("answer", server.client.chat(words[2]).content, "Hello")
        server.log.turn(words[2])
        expect("files in the spool", server.spooled(), [])
    return f"the answer came, the status was: {status}; the turn is in the log after a restart"


@row("F16")
def a_full_disk(bed: Testbed) -> str:
    "The database cannot grow any more, by a limit for the size of files. Then there is no limit."
    with bed.serving() as server:
        first = bed.ollama.play(HELLO).word
        expect("answer", server.client.chat("Long " * 200_000 + first).content, "Hello")
        expect("exit status", server.stop(), 0)
    folder, size = server.folder, server.log.path.stat().st_size
    word = bed.ollama.play(HELLO).word
    with bed.serving(folder=folder, prefix=limited("RLIMIT_FSIZE", size)) as server:
        expect("answer", server.client.chat("Longer " * 20_000 + word).content, "Hello")
        status = log_status(server)
        expect("turns in the log", len(server.log.turns(word)), 0)
        expect("files in the spool", len(server.spooled()), 1)
        server.kill()
    with bed.serving(folder=folder) as server:
        server.log.turn(word)
        server.log.check()
    return f"the answer came, the status was: {status}; the turn is in the log after a restart"


@row("F17")
def many_writers(bed: Testbed) -> str:
    "50 requests at once, while 4 processes of `llm` write to the same log."
    with ThreadPoolExecutor(PARALLEL + PROCESSES) as executor, bed.serving() as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        words = [bed.ollama.play(HELLO).word for _ in range(PARALLEL + PROCESSES)]
        shells = [
            executor.submit(bed.llm, "-m", "gpt-oss", word, folder=server.folder)
            for word in words[:PROCESSES]
        ]
        apps = [executor.submit(server.client.chat, word) for word in words[PROCESSES:]]
        expect("answers of apps", {app.result().content for app in apps}, {"Hello"})
        ran = [shell.result() for shell in shells]
        outcomes = {(each.status, each.stdout, each.stderr) for each in ran}
        expect("exit statuses and outputs of the shells", outcomes, {(0, "Hello\n", "")})
        for word in words:
            server.log.turn(word)
        server.log.check()
    return f"{len(words)} turns, each in the log once"


@row("F18")
def logging_is_turned_off(bed: Testbed) -> str:
    "`llm logs off` while the server runs, then `llm logs on`."
    with bed.serving() as server:
        words = [bed.ollama.play(HELLO).word for _ in range(3)]
        server.client.chat(words[0])
        bed.llm("logs", "off", folder=server.folder)
        expect("answer", server.client.chat(words[1]).content, "Hello")
        bed.llm("logs", "on", folder=server.folder)
        server.client.chat(words[2])
        expect("exit status", server.stop(), 0)
        logged = [len(server.log.turns(word)) for word in words]
        expect("turns in the log", logged, [1, 0, 1])
        expect("files in the spool", server.spooled(), [])
    return "the turn in between is not logged"


@row("F26")
def the_server_is_killed(bed: Testbed) -> str:
    "`kill -9` while 10 streams run, after 10 turns were answered. Then the server starts again."
    with ThreadPoolExecutor(10) as executor, bed.serving("--max-concurrency", "16") as server:
        answered = [bed.ollama.play(HELLO).word for _ in range(10)]
        for word in answered:
            expect("answer", server.client.chat(word).content, "Hello")
        running = [bed.ollama.play(stream(*BEGIN, HOLD)) for _ in range(10)]

        def begin(word: str) -> None:
            with suppress(OSError, HTTPException), server.client.stream(CHAT, chat(word)) as came:
                came.read_all()

        streams = [executor.submit(begin, script.word) for script in running]
        for script in running:
            script.wait_until_begun()
        wait_for("files of all streams", lambda: len(server.spooled()) == 10)
        server.kill()
        for each in streams:
            each.result()
    with bed.serving(folder=server.folder) as server:
        statuses = {server.log.turn(script.word).status for script in running}
        expect("statuses of the unfinished turns", statuses, {500})
        for word in answered:
            expect("status", server.log.turn(word).status, 200)
        server.log.check()
        error = server.log.turn(running[0].word).error or ""
        expect_in("error", "stopped", error)
    return (
        f"all answered turns are in the log, which passes integrity_check; the 10 others have failed: {error}"
    )
