"""OpenAI's Agents SDK runs a loop of tools while the proxy is killed under it.

Needs `pip install openai-agents` besides the tools of the tests, and `--live`.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from support.served_app import wait_for

agents = pytest.importorskip("agents", reason="needs openai-agents")

pytestmark = [pytest.mark.live, pytest.mark.tiny]

QUESTION, NEXT = "What is the weather in Oslo?", "What is the weather in Rome?"


class Proxy:
    "A server as people start it; `again` is the same after `kill -9`."

    def __init__(self, folder: Path, port: int) -> None:
        self.log = folder / "logs.db"
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "proxy", "--port", str(port), "-d", str(self.log)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
        wait_for(self._answers)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def wait_for_a_turn(self) -> None:
        "Until the model is being asked."
        wait_for(lambda: [*self.log.with_name("logs.db-unlogged").glob("*.begun")])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.log)) as database:
            return database.execute(query).fetchall()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def proxy(tmp_path: Path, unused_tcp_port: int) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path, unused_tcp_port)
    yield proxy
    proxy.kill()


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[AsyncOpenAI]:
    "The one that the Agents SDK uses. It asks again for as long as the server may need to start."
    agents.set_tracing_disabled(True)
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="any", max_retries=9) as client:
        agents.set_default_openai_client(client)
        yield client


def agent(befalls: Callable[[], None]) -> Any:
    "`befalls` happens while the tool runs."

    def get_weather(place: str) -> str:
        "The weather at a place"
        befalls()
        return f"Sunny in {place}"

    return agents.Agent(name="Assistant", model="gpt-oss", tools=[agents.function_tool(get_weather)])


async def previous(client: AsyncOpenAI) -> dict[str, Any]:
    return {"auto_previous_response_id": True}


async def conversation(client: AsyncOpenAI) -> dict[str, Any]:
    return {"conversation_id": (await client.conversations.create()).id}


async def session(client: AsyncOpenAI) -> dict[str, Any]:
    return {"session": agents.OpenAIConversationsSession(openai_client=client)}


WAYS = pytest.mark.parametrize("way", [previous, conversation, session])


@WAYS
@pytest.mark.parametrize("streamed", [False, True])
async def test_it_is_killed_between_two_requests(
    way: Callable[[AsyncOpenAI], Any], streamed: bool, proxy: Proxy, client: AsyncOpenAI
) -> None:
    async def run(question: str, **how: Any) -> Any:
        if not streamed:
            return await agents.Runner.run(agent(proxy.restart), question, **how)
        run = agents.Runner.run_streamed(agent(proxy.restart), question, **how)
        async for _ in run.stream_events():
            pass
        return run

    how = await way(client)
    first = await run(QUESTION, **how)
    assert first.final_output == "The weather in Oslo: Sunny in Oslo"
    proxy.restart()
    if way is previous:
        how = {"previous_response_id": first.last_response_id}
    second = await run(NEXT, **how)
    assert second.final_output.endswith("Sunny in Rome")
    assert proxy.rows("select status from gpt_oss_requests") == [(200,)] * 4
    assert len(proxy.rows("select distinct thread_id from turns")) == 1


@WAYS
async def test_it_is_killed_while_it_answers(
    way: Callable[[AsyncOpenAI], Any], proxy: Proxy, client: AsyncOpenAI
) -> None:
    "The SDK asks again by itself."

    def kill() -> None:
        proxy.wait_for_a_turn()
        proxy.restart()

    watch = threading.Thread(target=kill)
    answer = await agents.Runner.run(agent(watch.start), QUESTION, **await way(client))
    assert answer.final_output == "The weather in Oslo: Sunny in Oslo"
    assert not watch.is_alive()
    assert proxy.rows("select status from gpt_oss_requests order by turn_id") == [(200,), (200,)]
    assert len(proxy.rows("select distinct thread_id from turns")) == 1
