"Clients that leave, and connections that nobody uses: findings 9 and 15."

from __future__ import annotations

import json
import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Event

from websockets.sync.client import connect

from support.faults.answers import HELLO
from support.faults.client import CHAT, RESPONSES, chat, response
from support.faults.ollama import BEGIN, END, EndlessReply, Script
from support.faults.process import COUNTED, Server, limited
from support.faults.row import PATIENCE, expect, expect_at_most, row, wait_for
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

TIMES = 250
AT_ONCE = 8
MEGABYTE = 1_000_000
# Of a WebSocket, masked.
CLOSE_FRAME = b"\x88\x80abcd"


@row("9")
def websockets_that_stop_reading(bed: Testbed) -> str:
    "Six WebSocket clients stop reading while the engine writes without end, then leave, in three ways."
    slowest = 0.0
    with bed.serving() as server:
        for number in range(6):
            script = bed.ollama.play(EndlessReply())
            url = f"ws://127.0.0.1:{server.port}{RESPONSES}"
            client = connect(url, proxy=None, open_timeout=PATIENCE, max_queue=1, ping_interval=None)
            client.send(json.dumps({"type": "response.create", **response(script.word)}))
            client.recv(PATIENCE)
            time.sleep(3)  # until the client's buffers are full
            left = time.monotonic()
            match number % 3:
                case 0:
                    client.socket.sendall(CLOSE_FRAME)
                case 1:
                    client.socket.shutdown(socket.SHUT_WR)
                case 2:
                    client.socket.shutdown(socket.SHUT_RDWR)
            script.wait_until_gone()
            slowest = max(slowest, time.monotonic() - left)
            client.socket.close()
        expect_at_most("seconds until the engine's connection was closed", slowest, 30)
    return f"6 of 6 connections to the engine were closed, the last after {slowest * 1000:.0f} ms"


@row("9", alone=True)
def clients_that_leave_in_every_way(bed: Testbed) -> str:
    "250 clients leave: in the middle, with a reset, while they wait, before and after the request is read."
    chance = random.Random(9)  # noqa: S311 - not a secret

    def leave(server: Server, script: Script, way: int, seconds: float) -> float:
        streamed = way % 2 == 0
        data = server.client.raw_post(CHAT, chat(script.word, stream=streamed))
        with server.client.connection(data) as connection:
            if way == 0:
                while b"Hello" not in connection.recv(4096):
                    pass
            elif way < 4:
                script.wait_until_begun()
            else:
                time.sleep(seconds)
            if way == 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            left = time.monotonic()
        if not script.begun.wait(0.5):
            return 0.0
        script.wait_until_gone()
        return time.monotonic() - max(left, script.begun_at)

    with bed.serving("--max-concurrency", str(AT_ONCE), command=COUNTED) as server:
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        before = server.descriptors(), server.tasks()
        with ThreadPoolExecutor(AT_ONCE) as executor:
            ways = [
                (bed.ollama.play(stream(*BEGIN, HOLD)), number % 6, chance.uniform(0, 0.05))
                for number in range(TIMES)
            ]
            seconds = sorted(executor.map(lambda way: leave(server, *way), ways))
        expect_at_most("seconds until the engine's connection was closed", seconds[-1], bed.limits.close)
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
        wait_for("as many tasks as before", lambda: server.tasks() <= before[1])
        wait_for("as many descriptors as before", lambda: server.descriptors() <= before[0])
        expect("queue", server.client.get("/health").json()["queue"], {"running": 0, "waiting": 0})
    median = seconds[len(seconds) // 2]
    slowest = seconds[-1]
    times = f"{median * 1000:.0f} ms (median), {slowest * 1000:.0f} ms (slowest)"
    return f"closed after {times}; no task and no file more than before"


@row("15")
def connections_that_nobody_uses(bed: Testbed) -> str:
    "With --keep-alive 2: connections without a request, with half a head, half a body, and after an answer."
    with bed.serving("--keep-alive", "2") as server, ExitStack() as stack:
        answered = server.client.raw_post(CHAT, chat(bed.ollama.play(HELLO).word))
        sent = {
            "nothing": b"",
            "half a head": b"GET /health HTTP/1.1\r\nHo",
            "half a body": answered[:-10],
            "an answered request": answered,
        }
        clients = [stack.enter_context(server.client.connection(data)) for data in sent.values()]
        expect("status of /health", server.client.get("/health").status, 200)
        for client in clients:
            with suppress(ConnectionResetError):
                while client.recv(4096):
                    pass
    return f"all {len(sent)} were closed"


@row("15")
def no_descriptor_is_left(bed: Testbed) -> str:
    "The server may open 80 files. A stream runs, and then 200 clients connect."
    release = Event()
    script = bed.ollama.play(stream(*BEGIN, release, END))
    with bed.serving(prefix=limited("RLIMIT_NOFILE", 80)) as server, ExitStack() as stack:
        came = stack.enter_context(server.client.stream(CHAT, chat(script.word)))
        came.read_until("Hello")
        others = [stack.enter_context(server.client.connection(b"")) for _ in range(200)]
        began = time.monotonic()
        time.sleep(5)
        release.set()
        came.read_all()
        expect("text and end of the stream", (came.text, came.done), ("Hello", 1))
        lines = [line for line in server.output.splitlines() if "Too many open files" in line]
        expect_at_most("lines in the output", len(lines), time.monotonic() - began + 2)
        for other in others:
            other.close()
        wait_for("an answer for a new client", lambda: _answers(server))
        expect("answer", server.client.chat(bed.ollama.play(HELLO).word).content, "Hello")
    return (
        f"the stream ends well, {len(lines)} lines in the output: {lines[:1]}; then new clients are answered"
    )


def _answers(server: Server) -> bool:
    with suppress(OSError):
        return server.client.get("/health").status == 200
    return False


@row("15", alone=True)
def requests_of_30_megabytes_that_wait(bed: Testbed) -> str:
    "Ten requests of 30 MB wait behind one that runs."
    with bed.serving("--max-concurrency", "1") as server, ExitStack() as stack:
        held = bed.ollama.play(stream(*BEGIN, HOLD))
        stack.enter_context(server.client.connection(server.client.raw_post(CHAT, chat(held.word))))
        held.wait_until_begun()
        text = "word " * (30 * MEGABYTE // 5)
        waiting = server.client.raw_post(CHAT, chat(text))
        before = server.megabytes()
        with ThreadPoolExecutor(10) as executor:
            for _ in range(10):
                executor.submit(_send_and_leave, server, waiting)
            time.sleep(20)  # until the server takes no more
            after = server.megabytes()
            expect("status of /health", server.client.get("/health").status, 200)
            server.kill()
        each = (after - before) / 10
        expect_at_most("MB for each request", each, 75)
    return f"{each:.0f} MB for each"


def _send_and_leave(server: Server, data: bytes) -> None:
    "Send a request, as far as the server takes it, and wait until the connection ends."
    with suppress(OSError), server.client.connection(data) as connection:
        connection.recv(4096)
