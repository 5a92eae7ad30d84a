from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from types import SimpleNamespace
from typing import Any

import pytest

from llm_gpt_oss.errors import EngineError
from proxy.http import sse

Step = bytes | BaseException | asyncio.Event


class Client:
    "An ASGI client. Each body after the first waits for `slow`."

    def __init__(self, slow: asyncio.Event | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self._heard = asyncio.Event()
        self._slow = slow

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self._heard.set()
        if self._slow and len(self.bodies) > 1:
            await self._slow.wait()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]

    async def receive_bodies(self, count: int) -> None:
        while len(self.bodies) < count:
            self._heard.clear()
            await self._heard.wait()


class Frames:
    "Yields bytes, waits for events and raises errors, one step after the other."

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.made = 0
        self.closed = False

    async def frames(self) -> AsyncGenerator[bytes, None]:
        try:
            for step in self._steps:
                match step:
                    case bytes():
                        self.made += 1
                        yield step
                    case BaseException():
                        raise step
                    case _:
                        await step.wait()
        finally:
            self.closed = True


def error_frame(error: Exception) -> bytes:
    return f"failed: {error}".encode()


def respond(frames: Frames, client: Client, seconds: float = 60) -> asyncio.Task[None]:
    stream = sse.EventStream(frames.frames(), error_frame, seconds)
    return asyncio.ensure_future(stream({"type": "http"}, client.receive, client.send))


def test_an_event_is_one_line() -> None:
    assert sse.data_frame({"a": "é\n\u2028"}) == 'data: {"a":"é\\n\u2028"}\n\n'.encode()


async def test_each_frame_is_a_write_of_its_own() -> None:
    frames, client = Frames(b"a", b"b"), Client()
    await respond(frames, client)
    start, *bodies = client.sent
    assert start["status"] == 200
    assert dict(start["headers"]) == {
        b"content-type": b"text/event-stream; charset=utf-8",
        b"cache-control": b"no-cache",
        b"x-accel-buffering": b"no",
    }
    assert [(body["body"], body.get("more_body", False)) for body in bodies] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]
    assert frames.closed


async def test_no_frames() -> None:
    client = Client()
    await respond(Frames(), client)
    start, body = client.sent
    assert (start["status"], body["body"], body["more_body"]) == (200, b"", False)


async def test_keep_alive_comments() -> None:
    gate, frames_end = asyncio.Event(), asyncio.Event()
    frames, client = Frames(gate, b"a", frames_end, b"b"), Client()
    response = respond(frames, client, 0.001)
    await client.receive_bodies(2)
    assert set(client.bodies) == {sse.KEEP_ALIVE}
    gate.set()
    while b"a" not in client.bodies:
        await client.receive_bodies(1)
        await asyncio.sleep(0)
    await client.receive_bodies(client.bodies.index(b"a") + 2)
    assert client.bodies[-1] == sse.KEEP_ALIVE
    frames_end.set()
    await response
    assert [body for body in client.bodies if body != sse.KEEP_ALIVE] == [b"a", b"b", b""]
    assert [message["type"] for message in client.sent].count("http.response.start") == 1


async def test_a_comment_comes_as_soon_as_nothing_was_sent_for_that_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked, ticks = [0.0], [], [asyncio.Event() for _ in range(4)]

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        await ticks[len(asked) - 1].wait()

    async def at(seconds: float, event: asyncio.Event) -> None:
        now[0] = seconds
        event.set()
        for _ in range(5):
            await next_loop_iteration()

    monkeypatch.setattr(sse, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first, last = asyncio.Event(), asyncio.Event()
    client = Client()
    with monkeypatch.context() as patch:
        patch.setattr(sse.asyncio, "sleep", sleep)  # type: ignore[attr-defined]
        response = respond(Frames(first, b"a", last), client, 10)
        await at(4, first)
        assert (client.bodies, asked) == ([b"a"], [10])
        await at(10, ticks[0])
        assert (client.bodies, asked) == ([b"a"], [10, 4])
        await at(14, ticks[1])
        assert (client.bodies, asked) == ([b"a", sse.KEEP_ALIVE], [10, 4, 10])
    last.set()
    await response


def next_loop_iteration() -> Awaitable[None]:
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    return done


async def test_an_error_before_the_first_frame_is_raised() -> None:
    frames, client = Frames(EngineError("down")), Client()
    with pytest.raises(EngineError):
        await respond(frames, client)
    assert client.sent == []


async def test_a_later_error_is_the_last_frame(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    await respond(Frames(b"a", EngineError("down")), client)
    assert client.bodies == [b"a", b"failed: down", b""]
    assert caplog.records == []


async def test_an_error_after_a_comment_is_the_last_frame() -> None:
    gate, client = asyncio.Event(), Client()
    response = respond(Frames(gate, EngineError("down")), client, 0.001)
    await client.receive_bodies(1)
    gate.set()
    await response
    assert client.bodies[-2:] == [b"failed: down", b""]


async def test_unexpected_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await respond(Frames(b"a", KeyError("secret")), Client())
    assert caplog.records[0].exc_info


@pytest.mark.parametrize("before", [[], [b"a"]])
async def test_the_client_disconnects(before: list[Step]) -> None:
    frames, client = Frames(*before, asyncio.Event()), Client()
    response = respond(frames, client)
    await client.receive_bodies(len(before))
    await asyncio.sleep(0)
    client.left.set()
    await response
    assert frames.closed
    assert client.bodies == before


async def test_a_slow_client_disconnects() -> None:
    frames, client = Frames(*[b"x"] * 100), Client(slow=asyncio.Event())
    response = respond(frames, client, 0.001)
    await client.receive_bodies(2)
    await asyncio.sleep(0.005)
    assert frames.made == 2  # and no comments pile up behind
    assert client.bodies == [b"x", b"x"]
    client.left.set()
    await response
    assert frames.closed


async def test_the_server_stops() -> None:
    frames, client = Frames(b"a", asyncio.Event()), Client()
    response = respond(frames, client)
    await client.receive_bodies(1)
    response.cancel()
    with pytest.raises(asyncio.CancelledError):
        await response
    assert frames.closed


async def test_other_messages_are_no_disconnect() -> None:
    gate, frames = asyncio.Event(), Frames(b"a")
    incoming = iter([{"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        for message in incoming:
            return message
        await gate.wait()
        return {}

    client = Client()
    await sse.EventStream(frames.frames(), error_frame, 60)({"type": "http"}, receive, client.send)
    assert client.bodies == [b"a", b""]
