"""Requests that refer to what earlier requests stored: items of long conversations, and the conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from .locations import MODEL, Json
from .target import Target

ITEMS = 2_000
PAGE = 100


def _input(count: int, item: Callable[[int], Json]) -> Json:
    return {
        "model": MODEL,
        "input": [*map(item, range(count)), {"role": "user", "content": "Hi"}],
        "store": True,
    }


def _message(n: int) -> Json:
    return {"role": "user", "content": f"x{n}"}


def _call(n: int) -> Json:
    return {"type": "function_call", "call_id": f"c{n}", "name": "x", "arguments": "{}"}


def _result(n: int) -> Json:
    return {"type": "function_call_output", "call_id": f"c{n}", "output": "x"}


# What is stored.
STORED: Mapping[str, Callable[[int], Json]] = {"messages": _message, "calls": _call, "results": _result}
# What refers to it: each makes a path and a body of the id of the response, and of the ids of its items.
Reference = Callable[[str, list[str]], tuple[str, Json | None]]


def _items(response_id: str, ids: list[str]) -> tuple[str, Json]:
    return "/v1/responses", {"model": MODEL, "input": [{"type": "item_reference", "id": id} for id in ids]}


def _items_backwards(response_id: str, ids: list[str]) -> tuple[str, Json]:
    return _items(response_id, ids[::-1])


def _items_of_conversation(response_id: str, ids: list[str]) -> tuple[str, Json]:
    return "/v1/conversations", {"items": [{"type": "item_reference", "id": id} for id in ids[:20]]}


def _previous(response_id: str, ids: list[str]) -> tuple[str, Json]:
    return "/v1/responses", {"model": MODEL, "input": "Hi", "previous_response_id": response_id}


def _tokens(response_id: str, ids: list[str]) -> tuple[str, Json]:
    return "/v1/responses/input_tokens", _previous(response_id, ids)[1]


def _page(response_id: str, ids: list[str]) -> tuple[str, None]:
    return f"/v1/responses/{response_id}/input_items?limit=100&after={ids[-2]}&order=asc", None


REFERENCES: Mapping[str, Reference] = {
    "items": _items,
    "items, backwards": _items_backwards,
    "items of a conversation": _items_of_conversation,
    "the response before": _previous,
    "the response before, counted": _tokens,
    "the last page": _page,
}


def references() -> Iterator[tuple[str, Callable[[Target], tuple[str, bytes | None]]]]:
    "The name of each, and what stores the items and makes the path and the body that refer to them."
    for stored, item in STORED.items():
        for name, reference in REFERENCES.items():
            yield f"{stored}, {name}", partial(_prepared, item, reference)


def _prepared(item: Callable[[int], Json], reference: Reference, target: Target) -> tuple[str, bytes | None]:
    response_id = _ask(target, "POST", "/v1/responses", _input(ITEMS, item))["id"]
    ids: list[str] = []
    has_more = True
    while has_more:
        after = f"&after={ids[-1]}" if ids else ""
        page = _ask(target, "GET", f"/v1/responses/{response_id}/input_items?order=asc&limit={PAGE}{after}")
        ids += [item["id"] for item in page["data"]]
        has_more = page["has_more"]
    path, body = reference(response_id, ids)
    return path, None if body is None else json.dumps(body).encode()


def _ask(target: Target, method: str, path: str, body: Json | None = None) -> Any:
    with closing(target.connection()) as client:
        client.request(method, path, None if body is None else json.dumps(body))
        answer = client.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {text[:500]!r}")
        return json.loads(text)
