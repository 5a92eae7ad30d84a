"The bodies that are held have limits, for all clients together and for each."

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

from llm_gpt_oss.errors import EngineError
from proxy.http.body_budget import BodyBudget, HeldBody
from proxy.http.errors import ApiError

MIB = 2**20
ENDPOINTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/responses/compact": {"input": "Hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
}


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def refusal(budget: BodyBudget, size: int, actor: str | None) -> str | None:
    "Why the bytes do not fit, or None if they do."
    try:
        HeldBody(budget, actor).add(size)
    except ApiError as error:
        return error.message.split(" already")[0]
    return None


def test_one_actor_holds_half() -> None:
    budget = BodyBudget(4 * MIB)
    mine = [HeldBody(budget, "mine") for _ in range(2)]
    mine[0].add(MIB)
    mine[1].add(MIB)
    assert refusal(budget, 1, "mine") == "Your requests that the server holds have 2 MiB"
    assert refusal(budget, 2 * MIB, "theirs") is None
    mine[0].release()
    assert refusal(budget, MIB, "mine") is None
    mine.clear()
    assert refusal(budget, 2 * MIB, "mine") is None
    assert budget.held == 0


def test_all_actors_together() -> None:
    budget = BodyBudget(4 * MIB)
    held = [HeldBody(budget, actor) for actor in ("a", "b")]
    for each in held:
        each.add(2 * MIB)
    assert refusal(budget, 1, "c") == "The requests that the server holds have 4 MiB"


def test_clients_without_a_key_on_this_machine_may_hold_all() -> None:
    budget = BodyBudget(4 * MIB)
    assert refusal(budget, 4 * MIB, None) is None


@pytest.mark.parametrize("actor", [None, "mine"])
def test_what_did_not_fit_is_not_held(actor: str | None) -> None:
    budget = BodyBudget(4 * MIB)
    body = HeldBody(budget, actor)
    body.add(MIB)
    with pytest.raises(ApiError) as error:
        body.add(4 * MIB)
    assert (error.value.status, error.value.code) == (503, "queue_full")
    assert error.value.headers == {"Retry-After": "2"}
    assert budget.held == MIB
    body.release()
    assert budget.held == 0


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HELLO, id="answer"),
        pytest.param(
            EngineError("It broke."),
            id="error",
            marks=pytest.mark.skipif(
                sys.version_info < (3, 11),
                reason="On Python 3.10 an error is held until garbage is collected",
            ),
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_an_answered_body_is_not_held(path: str, stream: bool, answer: str | EngineError) -> None:
    "Long requests make few objects, so the garbage collector would come too late."
    more = {} if path.endswith("compact") else {"stream": stream}
    async with proxied(AsyncScriptedEngine(answer)) as proxy:
        answered = await proxy.post(path, {"model": "gpt-oss", **ENDPOINTS[path], **more})
        assert answered.status_code == (200 if answer is HELLO else 502)
        for _ in range(100):
            await asyncio.sleep(0)
        assert proxy.server.body_budget.held == 0
