"""The HTTP request that a model call answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastapi import Request

from ..http.body_model import Body
from ..http.long_work import LONG, off_loop
from ..http.request_body import ReceivedBody
from ..log.access import Viewer

B = TypeVar("B", bound=Body)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClientRequest(Generic[B]):
    """A client's request with its body, received once, and who sent it, identified once.

    `at_end` closes when the answer was sent, or the request failed.
    """

    request: Request
    body: ReceivedBody[B]
    viewer: Viewer
    at_end: ExitStack = field(default_factory=ExitStack, compare=False)

    @property
    def is_long(self) -> bool:
        "Whether the body is so long that what reads all of it must not run on the event loop."
        return len(self.body.raw) >= LONG

    def name_turn(self, turn_id: str) -> None:
        "Name the turn of the answer in the header `x-llm-turn`, unless the answer has begun."
        self.request.state.turn_id = turn_id

    async def read(self, function: Callable[[B], T]) -> T:
        "Return what the function makes of the body, without holding up other requests."
        return await off_loop(len(self.body.raw), function, self.body.model)
