from __future__ import annotations

from pathlib import Path
from typing import Any

import llm
import pytest
from support.commands import run
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.log import spool
from proxy.log.spool import Spool

TURNS = "select count(*) from turns"


@pytest.mark.parametrize(
    ("policy", "fields", "headers", "logged"),
    [
        ("all", {}, {}, 1),
        ("all", {"store": False}, {}, 1),
        ("all", {}, {"X-LLM-Log": "off"}, 0),
        ("all", {}, {"X-LLM-Log": "OFF"}, 0),
        ("all", {}, {"X-LLM-Log": "on"}, 1),
        ("respect-store", {}, {}, 0),
        ("respect-store", {"store": False}, {}, 0),
        ("respect-store", {"store": True}, {}, 1),
        ("respect-store", {"store": True}, {"X-LLM-Log": "off"}, 0),
        ("off", {"store": True}, {"X-LLM-Log": "on"}, 0),
    ],
)
async def test_log_policy_and_header(
    policy: str, fields: dict[str, Any], headers: dict[str, str], logged: int
) -> None:
    async with proxied(AsyncScriptedEngine(HELLO), log_policy=policy) as proxy:
        assert (await proxy.chat(user="Hi", headers=headers, **fields)).status_code == 200
        assert proxy.rows(TURNS) == [(logged,)]


async def test_logging_is_turned_off_and_on_while_it_runs() -> None:
    off = llm.user_dir() / "logs-off"  # type: ignore[no-untyped-call]
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO)) as proxy:
        await proxy.chat(user="1")
        off.touch()
        await proxy.chat(user="2")
        assert proxy.rows(TURNS) == [(1,)]
        off.unlink()
        await proxy.chat(user="3")
        assert proxy.rows(TURNS) == [(2,)]


async def test_the_engine_of_a_bound_model_is_logged() -> None:
    assert run("models", "add", "mine", "--completions", "http://127.0.0.1:1").exit_code == 0
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        for model in ("mine", "gpt-oss:20b"):
            assert (await proxy.chat(user="Hi", model=model)).status_code == 200
        assert proxy.rows("select model, engine from gpt_oss_turns order by turn_id") == [
            ("mine", "completions"),
            ("gpt-oss:20b", "ollama"),
        ]


async def test_logged_fields_of_a_request() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        headers = {"User-Agent": "curl", "Authorization": "Bearer secret"}
        await proxy.chat(user="Hi", headers=headers, metadata={"a": "b"}, store=True)
        rows = proxy.rows("select endpoint, client, stored, metadata, status from gpt_oss_requests")
        assert rows == [("/v1/chat/completions", "curl", 1, '{"a": "b"}', 200)]
        dump = "\\n".join(map(str, proxy.rows("select * from gpt_oss_requests")))
        assert "secret" not in dump


async def test_the_actor_is_the_name_of_the_key() -> None:
    from proxy.key_hash import hash_key

    async with proxied(AsyncScriptedEngine(HELLO), key_hash=hash_key("sesame")) as proxy:
        answer = await proxy.chat(user="Hi", headers={"Authorization": "Bearer sesame"})
        assert answer.status_code == 200
        ((actor,),) = proxy.rows("select actor from gpt_oss_requests")
        assert actor


@pytest.mark.parametrize("stream", [True, False])
async def test_an_unusable_log_does_not_affect_the_answer(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "logs.db"
    path.mkdir()
    async with proxied(AsyncScriptedEngine(HELLO), database=path) as proxy:
        answer = await proxy.chat(user="Hi", stream=stream)
        assert (answer.status_code, "Hello" in answer.text) == (200, True)
        assert proxy.server.log_writer.status.startswith("behind 1, spooling: ")


async def test_requests_that_could_not_be_kept_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    "The log, its folder and the memory are full."
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", 1)
    path = tmp_path / "logs.db"
    path.write_bytes(b"x" * 9999)
    Spool(path).folder.touch()
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO), database=path) as proxy:
        assert (await proxy.chat(user="Hi")).status_code == 200
        for url in ("/v1/chat/completions", "/v1/responses"):
            body = {"model": "gpt-oss:20b", "input": "Hi", "messages": [{"role": "user", "content": "Hi"}]}
            refused = await proxy.post(url, body)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "2"
            error = refused.json()["error"]
            assert (error["type"], error["code"]) == ("server_error", "log_unavailable")
            assert "the memory for turns that wait is full" in error["message"]
        assert (await proxy.chat(user="Hi", headers={"x-llm-log": "off"})).status_code == 200
        path.unlink()
    assert proxy.rows(TURNS) == [(1,)]


async def test_each_choice_is_a_turn() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        answer = await proxy.chat(user="Hi", n=2)
        assert len(answer.json()["choices"]) == 2
        assert proxy.rows("select count(*), count(distinct thread_id) from turns") == [(2, 2)]
