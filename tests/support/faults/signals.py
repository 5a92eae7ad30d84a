"Signals that end the server, and what it does with those that wait: row F27, and finding 16."

from __future__ import annotations

import json
import signal
from contextlib import suppress
from threading import Event

from websockets.sync.client import connect

from support.faults.answers import HELLO
from support.faults.client import CHAT, RESPONSES, chat, response
from support.faults.ollama import BEGIN, END
from support.faults.process import MODULE, SERVE, Server
from support.faults.row import PATIENCE, Unexpected, expect, row, wait_for
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream


def stops_well(bed: Testbed, server: Server, number: signal.Signals) -> None:
    "Send a signal while a stream runs. The stream has to end well, and the turn to be in the log."
    release = Event()
    script = bed.ollama.play(stream(*BEGIN, release, END))
    with server.client.stream(CHAT, chat(script.word)) as came:
        came.read_until("Hello")
        server.send(number)

        def refuses() -> bool:
            try:
                server.client.get("/health")
            except OSError:
                return True
            return False

        wait_for("no new connections", refuses)
        release.set()
        came.read_all()
    if came.text != "Hello" or came.done != 1:
        raise Unexpected(f"the stream ended with {came.events[-1:]}")
    expect("exit status", server.wait(), 0)
    expect("status in the log", server.log.turn(script.word).status, 200)
    expect("files in the spool", server.spooled(), [])


@row("F27")
def sigterm_while_streams_run(bed: Testbed) -> str:
    "SIGTERM while a stream runs; `llm gpt-oss serve` and `python -m proxy`."
    for command in (SERVE, MODULE):
        with bed.serving(command=command) as server:
            stops_well(bed, server, signal.SIGTERM)
    return "new connections are refused, the stream ends well, the turn is logged, exit status 0"


@row("16")
def sighup_while_streams_run(bed: Testbed) -> str:
    "SIGHUP while a stream runs."
    with bed.serving() as server:
        stops_well(bed, server, signal.SIGHUP)
    return "the same as with SIGTERM"


@row("16")
def what_a_stop_cuts(bed: Testbed) -> str:
    "SIGTERM, and a stream does not end within the 30 seconds of grace."
    script = bed.ollama.play(stream(*BEGIN, HOLD))
    with bed.serving() as server:
        with server.client.stream(CHAT, chat(script.word)) as came:
            came.read_until("Hello")
            server.send(signal.SIGTERM)
            with suppress(OSError):
                came.read_all()
        expect("exit status", server.wait(), 0)
        turn = server.log.turn(script.word)
        expect("text in the log", turn.text, "Hello")
        error = turn.error or ""
        if "client" in error.lower() or "server" not in error.lower():
            raise Unexpected(f"the error in the log: {error}")
        wrong = [line for line in server.output.splitlines() if "Error" in line or "Traceback" in line]
        expect("errors in the output", wrong, [])
    return f"logged with 'Hello': {turn.status} {error}"


@row("16")
def a_full_queue(bed: Testbed) -> str:
    "One request runs, one waits, and the queue has room for one. A background request comes."
    with bed.serving("--max-concurrency", "1", "--queue", "1") as server:
        held = bed.ollama.play(stream(*BEGIN, HOLD))
        requests = [server.client.raw_post(CHAT, chat(word)) for word in (held.word, "Hi")]
        with server.client.connection(requests[0]):
            held.wait_until_begun()
            with server.client.connection(requests[1]):
                wait_for("a request in the queue", lambda: _waiting(server) == 1)
                came = server.client.respond("Hi", background=True)
                expect("error", (came.status, came.error.get("code")), (503, "queue_full"))
                expect("Retry-After", "retry-after" in came.headers, True)
    return f"503 at once: {came.error['message']}"


@row("16")
def a_websocket_that_leaves_while_it_waits(bed: Testbed) -> str:
    "The client of a WebSocket leaves while its request waits in the queue."
    with bed.serving("--max-concurrency", "1") as server:
        held, script = bed.ollama.play(stream(*BEGIN, HOLD)), bed.ollama.play(HELLO)
        with server.client.connection(server.client.raw_post(CHAT, chat(held.word))):
            held.wait_until_begun()
            url = f"ws://127.0.0.1:{server.port}{RESPONSES}"
            with connect(url, proxy=None, open_timeout=PATIENCE) as client:
                client.send(json.dumps({"type": "response.create", **response(script.word)}))
                wait_for("a request in the queue", lambda: _waiting(server) == 1)
            wait_for("an empty queue", lambda: _waiting(server) == 0)
            expect("status in the log", server.log.turn(script.word).status, 499)
            expect("completions", len(script.requests), 0)
    return "it leaves the queue, and is logged as 499"


def _waiting(server: Server) -> int:
    return int(server.client.get("/health").json()["queue"]["waiting"])
