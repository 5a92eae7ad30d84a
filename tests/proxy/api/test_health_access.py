"What `/health` shows to whom."

from __future__ import annotations

from typing import Any

import pytest
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.http import api_keys
from proxy.log.writer import LogWriter

REASON = "behind 2, spooling: /home/me/logs.db is full"


async def test_what_a_client_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogWriter, "status", REASON)
    member, admin = ({"x-api-key": api_keys.add(name, admin=name == "admin")} for name in ("app", "admin"))
    async with proxied(AsyncScriptedEngine()) as proxy:

        async def health(headers: dict[str, str]) -> dict[str, Any]:
            body: dict[str, Any] = (await proxy.get("/health", headers=headers)).json()
            return body

        for headers in ({}, {"x-api-key": "guess"}):
            assert {*await health(headers)} == {"status", "engine"}
        known = await health(member)
        assert (known["log"], known["model"]) == ("behind 2, spooling", "gpt-oss:20b")
        assert "problems" not in known
        everything = await health(admin)
        assert everything["log"] == REASON
        assert {**everything, **known} == {**everything, "log": known["log"]}
