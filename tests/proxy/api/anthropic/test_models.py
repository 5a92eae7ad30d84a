"The list of models, checked with the SDK's types."

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import ModelInfo
from support.anthropic_sdk import aasking, asking
from support.openai_types import unknown_keys
from support.requests import asking as asking_over_http

from proxy.api.anthropic.models import list_models

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
def test_models(opened: Any, app_with: Any) -> None:
    with opened(app_with("")) as sdk:
        page = sdk.call(lambda client: client.models.list())
        model = sdk.call(lambda client: client.models.retrieve("gpt-oss:20b"))
    assert page.data[0] == model
    assert (model.id, model.display_name, model.type) == ("gpt-oss:20b", "gpt-oss:20b", "model")
    assert model.created_at.isoformat() == "2025-08-05T00:00:00+00:00"
    assert (page.has_more, page.first_id, page.last_id) == (False, page.data[0].id, page.data[-1].id)


async def test_the_list_of_openai_has_the_same_models() -> None:
    async with asking_over_http() as client:
        theirs = (await client.get("/v1/models?limit=1000", headers=VERSION)).json()["data"]
        ours = (await client.get("/v1/models")).json()["data"]
    assert [model["id"] for model in theirs] == [model["id"] for model in ours]
    for model in theirs:
        assert [*unknown_keys(ModelInfo.model_validate(model))] == []


async def test_unknown_model() -> None:
    async with asking_over_http() as client:
        answer = await client.get("/v1/models/claude", headers=VERSION)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


async def test_no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(state: Any) -> dict[str, Any]:
        return {"data": []}

    monkeypatch.setattr("proxy.api.models.list_models", none)
    state: Any = None
    assert await list_models(state) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
