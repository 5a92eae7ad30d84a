"""The HTTP request that a model call answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request

from ..http.body_model import Body
from ..http.request_body import ReceivedBody
from ..log.access import Viewer

B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class ClientRequest(Generic[B]):
    "A client's request with its body, received once, and who sent it, identified once."

    request: Request
    body: ReceivedBody[B]
    viewer: Viewer
