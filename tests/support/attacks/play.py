"""Sends one attack, and judges what came of it."""

from __future__ import annotations

import json
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Thread

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from .answers import BAD, ORDINARY
from .engine import BadEngine
from .table import CHAT, MEGABYTE, MESSAGES, RESPONSES, Attack
from .target import PATIENCE, Delay, Probe, Target

# An answer from these is in the log before it ends.
LOGGED = (CHAT, RESPONSES, MESSAGES, "/v1/completions", "/v1/responses/compact")
ENDS = ("response.completed", "response.failed", "response.incomplete")


@dataclass(frozen=True)
class Limits:
    """What an attack may cost, in seconds.

    `health` is how long `/health` may take, `answer` how long an answer may take for each megabyte that was
    sent and received, `lock` how long another program may wait for the log, `start` how long a server may
    take to start.
    """

    health: float
    answer: float
    lock: float
    start: float


# The promise, for a machine that does nothing else.
STRICT = Limits(health=0.5, answer=2, lock=2, start=10)
# Freezes took 15 seconds and more, on any machine.
GENEROUS = Limits(health=5, answer=10, lock=20, start=60)


@dataclass(frozen=True)
class Outcome:
    """What an attack cost.

    `status` is the answer's, 0 if the connection ended without one. `megabytes` were sent and received.
    `is_missing` is whether the turn is not in the log though it should be.
    """

    status: int
    answer: Delay
    megabytes: float
    health: Delay
    lock: float
    is_missing: bool = False

    def problems(self, limits: Limits) -> list[str]:
        "Return a sentence for each limit that does not hold."
        allowed = limits.answer * max(1.0, self.megabytes)
        health, answer = self.health.server_seconds, self.answer.server_seconds
        found = {
            f"/health took {health:.2f} s.": health > limits.health,
            f"The answer took {answer:.1f} s of {allowed:.1f} s.": answer > allowed,
            f"The log was locked for {self.lock:.1f} s.": self.lock > limits.lock,
            f"The status was {self.status}.": self.status in (0, 500),
            "The turn is not in the log.": self.is_missing,
        }
        return [problem for problem, is_one in found.items() if is_one]


def play(attack: Attack, target: Target, probe: Probe, engine: BadEngine) -> Outcome:
    engine.answer = [*{**ORDINARY, **BAD}[attack.answer]()]
    engine.sent = 0
    path, body = attack.prepare(target) if attack.prepare else (attack.path, attack.body and attack.body())
    body, turns = body or b"", target.turns()
    watch = target.stopwatch()
    send = _over_websocket if attack.is_websocket else _over_http
    status, received = send(attack._replace(path=path), body, target)
    answer = watch.delay()
    return Outcome(
        status,
        answer,
        (max(attack.size, len(body)) + received + engine.sent) / MEGABYTE,
        probe.longest(answer.began),
        target.seconds_to_lock(),
        attack.method == "POST" and path in LOGGED and status == 200 and target.turns() == turns,
    )


def start_after_kill(attack: Attack, folder: Path, engine: BadEngine) -> float:
    """Kill a server while the engine works on an attack. Return how many seconds the next one takes to start.

    Raises RuntimeError if the turn is not in its log.
    """
    engine.silent = True
    engine.asked.clear()
    body = attack.body() if attack.body else b""
    with Target.started(folder, engine.url) as target:
        turns = target.turns()
        client = Thread(target=_over_http, args=[attack, body, target])
        client.start()
        if not engine.asked.wait(PATIENCE):
            raise RuntimeError("The request does not reach the engine.")
    client.join()
    engine.silent = False
    began = time.monotonic()
    with Target.started(folder, engine.url) as target:
        start = Delay(began, time.monotonic() - began, target.cpu_seconds())
        if target.turns() == turns:
            raise RuntimeError("The turn of the killed server is not in the log.")
    return start.server_seconds


def _over_http(attack: Attack, body: bytes, target: Target) -> tuple[int, int]:
    "Return the status and the length of the answer."
    names = {name for name, _ in attack.headers}
    with closing(target.connection()) as client:
        try:
            client.putrequest(attack.method, attack.path, skip_host="Host" in names)
            if body and "Transfer-Encoding" not in names:
                client.putheader("Content-Length", str(len(body)))
            for name, value in attack.headers:
                client.putheader(name, value)
            # A server that refuses a request may close the connection before it has read all of it.
            with suppress(ConnectionResetError, BrokenPipeError):
                client.endheaders(body or None)
            answer = client.getresponse()
            return answer.status, len(answer.read())
        except (ConnectionResetError, BrokenPipeError):
            return 400, 0
        except (OSError, HTTPException):
            return 0, 0


def _over_websocket(attack: Attack, body: bytes, target: Target) -> tuple[int, int]:
    "As `_over_http`, for the body as a message."
    message = body.decode("utf-8", "surrogateescape").replace("{", '{"type":"response.create",', 1)
    url = f"ws://127.0.0.1:{target.port}{attack.path}"
    received = 0
    try:
        with connect(url, proxy=None, open_timeout=PATIENCE, max_size=None, ping_interval=None) as client:
            client.send(message)
            while True:
                text = client.recv(PATIENCE)
                received += len(text)
                event = json.loads(text)
                if event["type"] == "error":
                    return int(event["status"]), received
                if event["type"] in ENDS:
                    return 200, received
    except (OSError, WebSocketException):
        return 0, received
