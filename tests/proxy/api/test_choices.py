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
CHUNKS = [
    {"said": "a", "by": 0},
    {"said": "stop", "by": 0},
    {"said": "b", "by": 1},
    {"said": "stop", "by": 1},
]
CLIENT: Any = None


class WordState:
    "A state whose runs write one word, the name of the model. `running_choice` is the current one."

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
def state() -> Any:
    return WordState()


@pytest.fixture
def choices(state: Any) -> Choices:
    return Choices(
        state,
        CLIENT,
        Attempt(("1", "2"), "key"),
        [GenerationRequest("/x", "a", ()), GenerationRequest("/x", "b", ())],
        Writer,
    )


def usage(usages: Sequence[TokenUsage]) -> dict[str, Any]:
    return {"prompts": [each.prompt_tokens for each in usages]}


async def frames_of(choices: Choices, **how: Any) -> list[Any]:
    frames = [frame.decode().removeprefix("data: ") async for frame in choices.frames(HEAD, **how)]
    assert frames.pop() == "[DONE]\n\n"
    return [json.loads(frame) for frame in frames]


async def test_chunks(choices: Choices) -> None:
    assert [chunk async for chunk in choices.chunks()] == CHUNKS
    assert usage(choices.usages) == {"prompts": [97, 98]}


async def test_frames(choices: Choices) -> None:
    assert await frames_of(choices, usage=None) == CHUNKS


async def test_frames_with_usage(choices: Choices) -> None:
    *frames, last = await frames_of(choices, usage=usage)
    assert frames == [{**chunk, "usage": None} for chunk in CHUNKS]
    assert last == {"id": "x", "choices": [], "usage": {"prompts": [97, 98]}}


async def test_closing_the_frames_closes_the_events(state: Any, choices: Choices) -> None:
    frames = choices.frames(HEAD, None)
    await anext(frames)
    assert state.speaking == 0
    await frames.aclose()
    assert state.speaking is None


def test_error_frame() -> None:
    frame = error_frame(ApiError(400, "No.", code="no"))
    assert json.loads(frame.removeprefix(b"data: "))["error"] == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": None,
        "code": "no",
    }
