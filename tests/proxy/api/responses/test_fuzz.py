"Whatever a client sends to `/v1/responses` and below, the answer is valid or an error of the client."

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response
from support.anything import JSON
from support.fuzzed_app import FuzzedApp, check_error, one_app_for_all
from support.proxied_engine import proxied
from support.requests import Greeting
from support.response_bodies import BODIES, ITEM, MINIMAL, TEXT, WORDS

URL = "/v1/responses"
POSTED = st.sampled_from([URL, f"{URL}/input_tokens", f"{URL}/compact"])


class ResponsesApp(FuzzedApp):
    "An app with a log."

    def __init__(self) -> None:
        super().__init__(proxied(Greeting()))

    def status(self, method: str, path: str, body: bytes = b"", **params: Any) -> int:
        answer = self.run(self.opened.client.request(method, path, content=body, params=params))
        if answer.status_code != 200:
            check_error(answer)
            # This engine never calls a tool, not even one that it has to call.
            assert answer.status_code < 500 or answer.json()["error"]["code"] == "bad_answer"
        elif answer.text.startswith('{"id":"resp_') and '"object":"response"' in answer.text:
            Response.model_validate(answer.json())
        return int(answer.status_code)


@pytest.fixture
def app() -> Iterator[ResponsesApp]:
    app = ResponsesApp()
    yield app
    app.close()


@one_app_for_all
@given(POSTED, st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(app: ResponsesApp, path: str, body: bytes) -> None:
    assert app.status("POST", path, body) == 400


@one_app_for_all
@given(POSTED, BODIES)
def test_any_request(app: ResponsesApp, path: str, body: dict[str, Any]) -> None:
    assert app.status("POST", path, json.dumps(body).encode()) in (200, 400, 404, 502)


@one_app_for_all
@given(st.lists(ITEM, max_size=5))
def test_any_items(app: ResponsesApp, items: list[Any]) -> None:
    assert app.status("POST", URL, json.dumps({**MINIMAL, "input": items}).encode()) in (200, 400, 404)


# Starlette redirects an address that ends with a slash to the one without it.
IDS = st.text(min_size=1, max_size=12).filter(lambda id: id.strip("./") and id[-1] != "/") | st.sampled_from(
    [f"resp_{'0' * 26}", "resp_", "chatcmpl-1", "*", "resp_\x00", "../x"]
)
BELOW = st.sampled_from(
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/input_items"),
        ("POST", ""),
        ("PUT", "/cancel"),
    ]
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "stream": TEXT | st.sampled_from(["true", "0"]),
        "starting_after": TEXT | st.integers().map(str),
        "include": WORDS,
        "include[]": WORDS,
        "after": TEXT | IDS,
        "limit": TEXT | st.integers(-2, 200).map(str),
        "order": TEXT | st.sampled_from(["asc", "desc"]),
        "beta": TEXT,
    },
)


@one_app_for_all
@given(BELOW, IDS, PARAMETERS, st.binary(max_size=5))
def test_any_id(
    app: ResponsesApp, below: tuple[str, str], id: str, params: dict[str, str], body: bytes
) -> None:
    method, path = below
    assert app.status(method, f"{URL}/{quote(id, safe='')}{path}", body, **params) in (400, 404, 405)


@one_app_for_all
@given(st.sampled_from(["", "/input_items"]), PARAMETERS)
def test_any_parameters(app: ResponsesApp, path: str, params: dict[str, str]) -> None:
    made = app.run(app.opened.post(URL, MINIMAL)).json()
    assert app.status("GET", f"{URL}/{made['id']}{path}", **params) in (200, 400)
