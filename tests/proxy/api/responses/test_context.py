"Conversations are locked while a response continues them, in all processes of a server."

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.proxied_engine import proxied
from support.sdk_responses import Endless

from proxy.api.responses.context import ConversationLocks
from proxy.http import api_keys
from proxy.http.errors import ApiError


def is_locked(locks: ConversationLocks, thread_id: str) -> bool:
    try:
        with locks.lock(thread_id):
            return False
    except ApiError as error:
        return (error.status, error.code) == (409, "conversation_locked")


# Two objects lock as two processes do: each opens the file by itself.
@pytest.mark.parametrize("thread_id", ["01k3zq8w5m7xv9e2r4t6y8b0cd", "a/../b", "é" * 300])
def test_one_response_at_a_time(tmp_path: Path, thread_id: str) -> None:
    folder = tmp_path / "logs.db-unlogged"
    one, other = ConversationLocks(folder), ConversationLocks(folder)
    with one.lock(thread_id):
        assert is_locked(one, thread_id)
        assert is_locked(other, thread_id)
        assert not is_locked(other, "another")
        assert is_locked(one, thread_id), "a refused response does not release the lock"
    assert not is_locked(other, thread_id)
    assert [*folder.iterdir()] == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_responses_without_a_conversation(tmp_path: Path) -> None:
    locks = ConversationLocks(tmp_path)
    with locks.lock(None), locks.lock(None), locks.lock(""), locks.lock(""):
        assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (folder := tmp_path / "logs.db-unlogged").write_text("")
    locks = ConversationLocks(folder)
    with locks.lock("1"):
        assert is_locked(locks, "1")
    assert not is_locked(locks, "1")


async def test_a_busy_conversation_is_not_found_by_another_client() -> None:
    mine, theirs = ({"authorization": f"Bearer {api_keys.add(name)}"} for name in ("mine", "theirs"))
    body: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
    async with proxied(Endless()) as proxy:
        created = await proxy.post("/v1/conversations", {}, headers=mine)
        body["conversation"] = created.json()["id"]
        idle = await proxy.post("/v1/responses", body, headers=theirs)
        running = await proxy.post("/v1/responses", {**body, "background": True}, headers=mine)
        assert running.status_code == 200
        busy = await proxy.post("/v1/responses", body, headers=theirs)
        assert (busy.status_code, busy.json()) == (404, idle.json())
        assert (await proxy.post("/v1/responses", body, headers=mine)).status_code == 409
        # The thread's id is not another name of the conversation.
        body["conversation"] = body["conversation"].removeprefix("conv_")
        assert (await proxy.post("/v1/responses", body, headers=mine)).status_code == 404
        await proxy.post(f"/v1/responses/{running.json()['id']}/cancel", {}, headers=mine)
