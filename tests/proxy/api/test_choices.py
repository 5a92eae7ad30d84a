from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import pytest
from llm.parts import StreamEvent

from proxy.api.choices import Choices, Chunk, error_frame
from proxy.generation import Finished, GenerationRequest, TokenUsage
from proxy.http.errors import ApiError
from proxy.log.idempotency import Attempt

HEAD = {"id": "x"}
TOLD = [{"said": "a", "by": 0}, {"said": "stop", "by": 0}, {"said": "b", "by": 1}, {"said": "stop", "by": 1}]
CLIENT: Any = None


class Speaking:
    "A server whose runs say one word, the ask's model. `speaking` is the one that does."

    def __init__(self) -> None:
        self.speaking: int | None = None

    async def events(
        self, generation: GenerationRequest, client: Any, attempt: Attempt, choice: int
    ) -> AsyncGenerator[StreamEvent | Finished, None]:
        return self._events(generation.model, choice)

    async def _events(self, word: str, choice: int) -> AsyncGenerator[StreamEvent | Finished, None]:
        self.speaking = choice
        try:
            yield StreamEvent("text", word)
            yield Finished("stop", TokenUsage(ord(word), 1, 0))
        finally:
            self.speaking = None


class Writer:
    def __init__(self, index: int) -> None:
        self._index = index

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]:
        yield {"said": event.reason if isinstance(event, Finished) else event.chunk, "by": self._index}


@pytest.fixture
def server() -> Any:
    return Speaking()


@pytest.fixture
def choices(server: Any) -> Choices:
    return Choices(
        server,
        CLIENT,
        Attempt(("1", "2"), "key"),
        [GenerationRequest("/x", "a", ()), GenerationRequest("/x", "b", ())],
        Writer,
    )


def usage(usages: Sequence[TokenUsage]) -> dict[str, Any]:
    return {"prompts": [each.prompt_tokens for each in usages]}


async def framed(choices: Choices, **how: Any) -> list[Any]:
    frames = [frame.decode().removeprefix("data: ") async for frame in choices.frames(HEAD, **how)]
    assert frames.pop() == "[DONE]\n\n"
    return [json.loads(frame) for frame in frames]


async def test_chunks(choices: Choices) -> None:
    assert [chunk async for chunk in choices.chunks()] == TOLD
    assert usage(choices.usages) == {"prompts": [97, 98]}


async def test_frames(choices: Choices) -> None:
    assert await framed(choices, usage=None) == TOLD


async def test_frames_that_count(choices: Choices) -> None:
    *told, last = await framed(choices, usage=usage)
    assert told == [{**chunk, "usage": None} for chunk in TOLD]
    assert last == {"id": "x", "choices": [], "usage": {"prompts": [97, 98]}}


async def test_frames_that_are_not_wanted_any_more(server: Any, choices: Choices) -> None:
    frames = choices.frames(HEAD, None)
    await anext(frames)
    assert server.speaking == 0
    await frames.aclose()
    assert server.speaking is None


def test_a_frame_that_says_what_failed() -> None:
    frame = error_frame(ApiError(400, "No.", code="no"))
    assert json.loads(frame.removeprefix(b"data: "))["error"] == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": None,
        "code": "no",
    }
