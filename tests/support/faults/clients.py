"Clients that wait, leave, send too much or read too slowly: rows F11, F12, F28 and F29, finding 19."

from __future__ import annotations

import json
import time

from support.faults.answers import HELLO
from support.faults.client import CHAT, RESPONSES, chat, response
from support.faults.ollama import BEGIN, END, EndlessReply
from support.faults.row import Unexpected, expect, expect_at_most, row
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

SILENCE = 25
LEFT = 499


@row("F11")
def a_long_silence(bed: Testbed) -> str:
    "The engine is silent for 25 seconds before its first token."
    script = bed.ollama.play(stream(float(SILENCE), *BEGIN, END))
    with bed.client.stream(CHAT, chat(script.word)) as came:
        came.read_all()
    expect("text and completions", (came.text, len(script.requests)), ("Hello", 1))
    if len(came.comments) < 2:
        raise Unexpected(f"{len(came.comments)} comments in {SILENCE} seconds")
    return f"{len(came.comments)} comments, then 'Hello'"


@row("F12")
def clients_that_leave(bed: Testbed) -> str:
    "A client leaves before the first token, in the middle, and while it waits for a whole answer."
    outcomes = []
    for begun, streamed in (([], True), (BEGIN, True), (BEGIN, False)):
        script = bed.ollama.play(stream(*begun, HOLD))
        data = bed.client.raw_post(CHAT, chat(script.word, stream=streamed))
        with bed.client.connection(data) as connection:
            script.wait_until_begun()
            if begun and streamed:
                heard = b""
                while b"Hello" not in heard:
                    heard += connection.recv(4096)
            elif begun:
                time.sleep(2)  # an answer that is not streamed is read twice a second
            left = time.monotonic()
        script.wait_until_gone()
        milliseconds = (time.monotonic() - left) * 1000
        turn = bed.log.turn(script.word)
        expect("the logged turn", (turn.status, turn.text), (LEFT, "Hello" if begun else ""))
        outcomes.append(f"{milliseconds:.0f} ms")
    return f"upstream was closed after {', '.join(outcomes)}; logged as 499 with what had arrived"


@row("F28")
def hostile_bodies(bed: Testbed) -> str:
    "Bodies of 100 MB, 10,000 messages, deep JSON, invalid UTF-8, wrong types, unknown fields."
    script = bed.ollama.play(HELLO)
    hello = json.dumps(chat(script.word))
    with bed.serving() as server:
        expect("status of /health", server.client.get("/health").status, 200)
        before = server.megabytes("VmHWM")
        deep = '{"model": "gpt-oss", "messages": ' + "[" * 50_000 + "]" * 50_000 + "}"
        bodies = {
            "100 MB": (b'{"model": "' + b"x" * 100_000_000 + b'"}', (413,)),
            "deep JSON": (deep.encode(), (400,)),
            "invalid UTF-8": (b'{"model": "gpt-oss", "messages": "\xff\xfe"}', (400,)),
            "no JSON": (b"{", (400,)),
            "no object": (b"[]", (400,)),
            "nothing": (b"", (400,)),
            "wrong types": (b'{"model": 1, "messages": {"a": 2}}', (400,)),
            "unknown fields": (hello[:-1].encode() + b', "colour": "blue"}', (200,)),
        }
        for name, (body, statuses) in bodies.items():
            for path in (CHAT,) if name != "deep JSON" else (CHAT, RESPONSES):
                try:
                    came = server.client.request("POST", path, body)
                except (BrokenPipeError, ConnectionResetError):
                    if name == "100 MB":  # refused before all of it was sent
                        continue
                    raise
                if came.status not in statuses or (came.status != 200 and not came.error.get("message")):
                    raise Unexpected(f"{name} to {path}: {came.status} {came.text[:300]}")
        many = bed.ollama.play(HELLO)
        history = [{"role": "user", "content": f"Message {number}"} for number in range(10_000)]
        came = server.client.chat("", messages=[*history, {"role": "user", "content": many.word}])
        expect("status of 10,000 messages", came.status, 200)
        after = server.megabytes("VmHWM")
        expect_at_most("MB of memory more than before", after - before, 400)
    return f"413, 400 in OpenAI's shape, or 200; peak memory {before:.0f} MB before, {after:.0f} MB after"


@row("F29")
def a_client_that_stops_reading(bed: Testbed) -> str:
    "The engine writes without end, and the client stops reading."
    endless = EndlessReply()
    script = bed.ollama.play(endless)
    with bed.serving() as server:
        data = server.client.raw_post(RESPONSES, response(script.word, stream=True))
        with server.client.connection(data) as connection:
            connection.recv(1000)
            endless.wait_until_held_up()
            megabytes = endless.sent / 1e6
            expect_at_most("MB that the engine could send", megabytes, 40)
            memory = server.megabytes()
            expect("status of /health", server.client.get("/health").status, 200)
        script.wait_until_gone()
        expect("status in the log", server.log.turn(script.word).status, LEFT)
    return (
        f"the engine is held up after {megabytes:.1f} MB, the server uses {memory:.0f} MB; then logged as 499"
    )


@row("19")
def a_silence_in_the_middle(bed: Testbed) -> str:
    "F11: the engine sends text after 8 seconds, and is then silent for 13 seconds."
    script = bed.ollama.play(stream(8.0, *BEGIN, 13.0, END))
    with bed.client.stream(CHAT, chat(script.word)) as came:
        came.read_until("Hello")
        before = len(came.comments)
        came.read_all()
    expect("comments before and after the text", (before, len(came.comments) - before), (0, 1))
    return "a comment 10 seconds after the text"
