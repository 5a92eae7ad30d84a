"""A response that passes on the answer of Ollama, or of another engine in Ollama's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from llm_gpt_oss.engines.ollama.forward import ForwardedResponse
from llm_gpt_oss.errors import ContextOverflow, EngineUnreachable, GptOssError

from ...http.body_budget import HeldBody
from ...http.disconnect import CLIENT_LEFT, cancel_on_disconnect
from ...http.errors import ApiError, to_api_error
from ...http.server_stop import STOPPED
from ...inference.active_runs import RunStopped
from ...state import ProxyState
from .turn_log import ForwardedTurn

# The type of a streamed answer.
NDJSON = b"application/x-ndjson"


class Relay(Response):
    """The answer that `open_answer` returns, each piece sent as it arrives.

    The turn is logged before the answer ends, but after its last byte was sent. The work is cancelled when
    the client disconnects. With `is_upload`, the request's body is still being read from the client. `held`
    counts the memory of a body that was read.
    """

    def __init__(
        self,
        request: Request,
        open_answer: Callable[[], AbstractAsyncContextManager[ForwardedResponse]],
        turn: ForwardedTurn | None = None,
        *,
        is_upload: bool = False,
        held: HeldBody | None = None,
    ) -> None:
        super().__init__()
        self._request = request
        self._open_answer = open_answer
        self._turn = turn
        self._is_upload = is_upload
        self._held = held
        self._started = False
        self._has_lines = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._relay(scope, receive, send)
        try:
            # Whoever reads an upload notices a disconnect as well.
            if self._is_upload:
                await work
            else:
                await cancel_on_disconnect(self._request.receive, work)
        except (ApiError, ClientDisconnect) as error:
            if not self._is_cut:
                return  # the client disconnected, so it cannot receive an error
            if self._started:
                raise asyncio.CancelledError(STOPPED) from error
            await ollama_error(STOPPED, 503, {"Retry-After": "5"})(scope, receive, send)

    @property
    def _is_cut(self) -> bool:
        state: ProxyState = self._request.app.state.proxy
        return state.stop.is_cut

    async def _relay(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._turn.start().stoppable() if self._turn else nullcontext():
                status = await self._send_answer(send)
        except RunStopped as stopped:
            await self._end_turn(stopped.status, stopped.message)
            await self._send_stop(stopped, scope, receive, send)
            return
        except asyncio.CancelledError:
            if self._is_cut:
                await self._end_turn(503, STOPPED)
            else:
                await self._end_turn(CLIENT_LEFT, "The client disconnected.")
            raise
        except GptOssError as error:
            await self._end_turn(to_api_error(error).status, str(error))
            # An answer that has started can only be broken off, as Ollama's was.
            if not self._started:
                await _error_response(error)(scope, receive, send)
            return
        await self._end_turn(status, None)
        await send({"type": "http.response.body", "body": b""})

    async def _send_answer(self, send: Send) -> int:
        "Return the status of the answer when all of it was sent."
        async with self._open_answer() as answer:
            self._started = True
            self._has_lines = (b"content-type", NDJSON) in answer.headers
            start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
            await send(start)
            async for data in answer.body:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                if self._turn:
                    await self._turn.feed(data)
            return answer.status

    async def _send_stop(self, stopped: RunStopped, scope: Scope, receive: Receive, send: Send) -> None:
        "Send the error as Ollama does: as the answer, or as the last line of a stream."
        if not self._started:
            await ollama_error(stopped.message, stopped.status)(scope, receive, send)
        elif self._has_lines:
            line = json.dumps({"error": stopped.message}).encode() + b"\n"
            await send({"type": "http.response.body", "body": line})

    async def _end_turn(self, status: int, error: str | None) -> None:
        if self._turn:
            await self._turn.end(status, error)


def _error_response(error: GptOssError) -> Response:
    headers = {"Retry-After": "5"} if isinstance(error, EngineUnreachable) else {}
    details: dict[str, Any] = {}
    if isinstance(error, ContextOverflow):  # by the names of llama.cpp, whose errors Ollama passes on
        details = {"n_prompt_tokens": error.prompt_tokens, "n_ctx": error.context_length}
    return ollama_error(str(error), to_api_error(error).status, headers, details)


def ollama_error(
    message: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Response:
    "Return an error in the form that Ollama's clients read. `details` are more fields of it."
    return JSONResponse({"error": message, **(details or {})}, status, headers)
