"Requests of every kind, for a server that is used for a long time. A wrong answer raises Unexpected."

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from support.faults.answers import CALL, HELLO, calls_of, tool
from support.faults.client import CHAT, RESPONSES, Answer, Client, chat, response
from support.faults.load import Turns, acknowledge, slow_answer
from support.faults.ollama import BEGIN, Ollama, Part, token
from support.faults.row import Unexpected, expect, wait_for
from support.scripted_server import CUT, HOLD, stream
from support.slips.row import FINAL, THOUGHT, Fails

Request = Callable[[Client, Ollama, Turns], None]


def is_locked(came: Answer) -> bool:
    "Whether the server cannot read the log, because another program has locked it."
    return (came.status, came.error.get("code")) == (503, "log_unavailable")


def answer(client: Client, ollama: Ollama, turns: Turns) -> None:
    acknowledge(client, ollama, turns, slow_answer())


def long_answer(client: Client, ollama: Ollama, turns: Turns) -> None:
    acknowledge(client, ollama, turns, [THOUGHT + FINAL + "word " * 2_000 + "<|return|>"])


def tool_call(client: Client, ollama: Ollama, turns: Turns) -> None:
    script = ollama.play(CALL.format("look", '{"a":1}]'))
    expect(
        "calls", calls_of(client.chat(script.word, tools=[tool("look", a="integer")])), [("look", {"a": 1})]
    )
    turns.acknowledged.append(script.word)
    ollama.forget(script)


def conversation(client: Client, ollama: Ollama, turns: Turns) -> None:
    "Three responses, each of which continues the one before."
    previous = None
    for _ in range(3):
        script = ollama.play(HELLO)
        came = client.respond(script.word, previous_response_id=previous)
        if is_locked(came):
            return
        expect("status", (came.status, came.error), (200, {}))
        turns.acknowledged.append(script.word)
        previous = came.json()["id"]
        ollama.forget(script)
    retrieved = client.get(f"/v1/responses/{previous}")
    if not is_locked(retrieved):
        expect("status", (retrieved.status, retrieved.json()["status"]), (200, "completed"))


def background(client: Client, ollama: Ollama, turns: Turns) -> None:
    script = ollama.play(*slow_answer())
    id = client.respond(script.word, background=True).json()["id"]
    wait_for("its end", lambda: client.get(f"/v1/responses/{id}").json().get("status") == "completed")
    turns.acknowledged.append(script.word)
    ollama.forget(script)


def cancelled(client: Client, ollama: Ollama, turns: Turns) -> None:
    script = ollama.play(stream(*BEGIN, HOLD))
    id = client.respond(script.word, background=True).json()["id"]
    script.wait_until_begun()

    def cancel() -> bool:
        return not is_locked(client.post(f"/v1/responses/{id}/cancel", {}))

    wait_for("an answer of the cancellation", cancel)
    script.wait_until_gone()
    ollama.forget(script)


def client_leaves(client: Client, ollama: Ollama, turns: Turns) -> None:
    for path, body in ((CHAT, chat), (RESPONSES, response)):
        script = ollama.play(stream(*BEGIN, HOLD))
        with client.stream(path, body(script.word)) as came:
            came.read_until("Hello")
        script.wait_until_gone()
        ollama.forget(script)


def client_leaves_with_a_reset(client: Client, ollama: Ollama, turns: Turns) -> None:
    script = ollama.play(stream(HOLD))
    with client.connection(client.raw_post(CHAT, chat(script.word))) as connection:
        script.wait_until_begun()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    script.wait_until_gone()
    ollama.forget(script)


def engine_fails(client: Client, ollama: Ollama, turns: Turns) -> None:
    replies: list[Part] = [
        stream(*BEGIN, CUT),
        stream(*BEGIN),
        stream(token("<|channel|>"), {"error": "out of luck"}),
        Fails(500, "out of luck"),
        Fails(404, "model 'gpt-oss:20b' not found"),
    ]
    for reply in replies:
        script = ollama.play(*[reply] * 4)
        came = client.chat(script.word)
        if came.status < 400:
            raise Unexpected(f"{came.status} {came.text[:300]}")
        ollama.forget(script)


def engine_is_busy(client: Client, ollama: Ollama, turns: Turns) -> None:
    acknowledge(client, ollama, turns, [Fails(503, "server busy"), HELLO, HELLO])


def bad_request(client: Client, ollama: Ollama, turns: Turns) -> None:
    bodies = (b"{", b"[]", b'{"model": 1}', b'{"messages": ' + b"[" * 5_000, b"\xff", b"x" * 1_000_000)
    for body in bodies:
        expect("status", client.request("POST", CHAT, body).status, 400)


def half_a_request(client: Client, ollama: Ollama, turns: Turns) -> None:
    with client.connection(client.raw_post(CHAT, chat("Hi"))[:-5]):
        pass


KINDS: dict[str, Request] = {
    request.__name__.replace("_", " "): request
    for request in (
        *(answer, long_answer, tool_call, conversation, background, cancelled),
        *(
            client_leaves,
            client_leaves_with_a_reset,
            engine_fails,
            engine_is_busy,
            bad_request,
            half_a_request,
        ),
    )
}
