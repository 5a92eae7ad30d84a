from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from proxy.http.disconnect import (
    cancel_on_disconnect,
    messages_until_disconnect,
    run_until_first_ends,
    wait_for_disconnect,
)
from proxy.http.errors import ApiError


def receiving(*messages: dict[str, Any]) -> Callable[[], Any]:
    "An ASGI `receive` that returns these messages, and then waits forever."
    left = list(messages)

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


BODY = {"type": "http.request", "body": b"left over"}


@pytest.mark.parametrize("end", ["http.disconnect", "websocket.disconnect"])
async def test_messages_until_disconnect(end: str) -> None:
    receive = receiving(BODY, BODY, {"type": end}, BODY)
    assert [message async for message in messages_until_disconnect(receive)] == [BODY, BODY]


async def test_wait_for_disconnect() -> None:
    receive = receiving(BODY, {"type": "http.disconnect"}, BODY)
    await wait_for_disconnect(receive)
    assert await receive() == BODY, "it read until the client had left, and no further"


class TestCancelOnDisconnect:
    async def test_result_of_the_work(self) -> None:
        async def work() -> int:
            return 5

        assert await cancel_on_disconnect(receiving(), work()) == 5

    async def test_error_of_the_work(self) -> None:
        async def work() -> int:
            raise ApiError(418, "Tea")

        with pytest.raises(ApiError, match="Tea"):
            await cancel_on_disconnect(receiving(), work())

    async def test_client_that_leaves(self) -> None:
        stopped = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(True)

        with pytest.raises(ApiError) as error:
            await cancel_on_disconnect(receiving(BODY, {"type": "http.disconnect"}), work())
        assert (error.value.status, stopped) == (499, [True])

    async def test_cancelled_from_outside(self) -> None:
        started, stopped = asyncio.Event(), []

        async def work() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                stopped.append(True)

        task = asyncio.ensure_future(cancel_on_disconnect(receiving(), work()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stopped == [True]


async def test_the_other_steps_have_ended_when_the_first_one_ends() -> None:
    ended = []

    async def first() -> None:
        await asyncio.sleep(0)

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    await run_until_first_ends(first(), other())
    assert ended == [True]


@pytest.mark.parametrize("fails_when_cancelled", [False, True])
async def test_an_error_of_any_step_is_raised(fails_when_cancelled: bool) -> None:
    async def first() -> None:
        await asyncio.sleep(0)
        if not fails_when_cancelled:
            raise ApiError(418, "Tea")

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if fails_when_cancelled:
                raise ApiError(418, "Tea")

    with pytest.raises(ApiError, match="Tea"):
        await run_until_first_ends(first(), other())
