"""All attacks by their names. A name says what is sent, and is the same in each run."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from random import Random
from typing import Any, NamedTuple

from .answers import BAD, HELLO, ORDINARY
from .heads import heads
from .histories import histories
from .locations import MODEL, Location, endpoints, locations
from .payloads import SCHEMA_NAMES, Payload, payloads
from .stored import references
from .target import Target

MEGABYTE = 10**6
# Of a body. Names and brackets come on top.
SIZE = MEGABYTE - 1000
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
OBJECT_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "x", "parameters": OBJECT_SCHEMA}
JSON_SCHEMA = {"name": "s", "schema": OBJECT_SCHEMA}
# What the requests have that a bad engine answers.
FIELDS: Mapping[str, Mapping[str, Any]] = {
    CHAT: {
        "plain": {},
        "with tools": {"tools": [{"type": "function", "function": TOOL}]},
        "with a schema": {"response_format": {"type": "json_schema", "json_schema": JSON_SCHEMA}},
        "with stop strings": {"stop": [f"{n}!" for n in range(50)]},
        "with log probabilities": {"logprobs": True},
        "with several choices": {"n": 4},
    },
    RESPONSES: {
        "plain": {},
        "with tools": {"tools": [{"type": "function", **TOOL}]},
        "with a schema": {"text": {"format": {"type": "json_schema", **JSON_SCHEMA}}},
        "with stop strings": {"stop": [f"{n}!" for n in range(50)]},
    },
    MESSAGES: {
        "plain": {},
        "with tools": {"tools": [{"name": "x", "input_schema": OBJECT_SCHEMA}]},
        "with stop strings": {"stop_sequences": [f"{n}!" for n in range(50)]},
    },
}
# What gzip makes very small, in megabytes before that. The server takes no more than 32.
DECODED_SIZES = (20, 31)
ENTRIES = {"nulls": "null,", "lists": "[],", "numbers": "1,", "objects": "{},", "texts": '"x",'}


class Attack(NamedTuple):
    """A request. Its body is made when it is sent.

    `kind` is what is bad about it, wherever it is. `answer` is the name of what the engine writes. `size` is
    the length of a body that is compressed. `prepare` sends other requests before, and returns the path and
    the body.
    """

    name: str
    kind: str
    path: str
    body: Callable[[], bytes] | None = None
    answer: str = HELLO
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    is_websocket: bool = False
    size: int = 0
    prepare: Callable[[Target], tuple[str, bytes | None]] | None = None


def attacks() -> Iterator[Attack]:
    yield from _locations()
    yield from _histories()
    yield from _answers()
    yield from _compressed()
    yield from _heads()
    yield from _references()


def drawn(names: Sequence[str], without: Sequence[str], seed: int) -> list[Attack]:
    """The attacks with all of `names` and none of `without` in their names.

    The seed decides the order. First comes one of each kind, then another one of each, and so on.
    """
    by_kind: dict[str, list[Attack]] = {}
    for attack in attacks():
        if all(text in attack.name for text in names) and not any(text in attack.name for text in without):
            by_kind.setdefault(attack.kind, []).append(attack)
    random, kinds = Random(seed), [*by_kind.values()]  # noqa: S311
    for each in (*kinds, kinds):
        random.shuffle(each)
    return [attack for turn in zip_longest(*kinds) for attack in turn if attack]


def named(*names: str) -> list[Attack]:
    "The attacks with these names. Raises KeyError for a name that no attack has."
    by_name = {attack.name: attack for attack in attacks()}
    return [by_name[name] for name in names]


def _locations() -> Iterator[Attack]:
    for endpoint in endpoints():
        for location in locations(endpoint):
            for kind, payload in payloads(location):
                title = f"{endpoint.model.__name__} {location.path} {location.name}: {kind}"
                body = partial(_filled, location, payload)
                yield Attack(title, kind, location.path, body)
                if endpoint.path == RESPONSES:
                    yield Attack(f"WebSocket: {title}", kind, location.path, body, is_websocket=True)
                for answer in ORDINARY if _is_checked(location) else ():
                    yield Attack(f"{title}, {answer}", f"{kind}, {answer}", location.path, body, answer)


def _filled(location: Location, payload: Payload) -> bytes:
    return location.body(payload(SIZE)).encode("utf-8", "surrogatepass")


def _is_checked(location: Location) -> bool:
    "Whether the model's answer is checked against what the location holds."
    return location.name.rpartition(".")[2].partition("/")[0] in SCHEMA_NAMES


def _histories() -> Iterator[Attack]:
    for name, path, body in histories():
        yield Attack(f"A history, {name}", name, path, partial(body, SIZE))


def _answers() -> Iterator[Attack]:
    for path, kinds in FIELDS.items():
        for kind, fields in kinds.items():
            for stream in (True, False):
                body = json.dumps({**_question(path), **fields, "stream": stream}).encode()
                how = "streamed" if stream else "whole"
                for answer in BAD:
                    title = f"An engine, {path}, {kind}, {how}: {answer}"
                    yield Attack(title, answer, path, partial(bytes, body), answer)
    raw = {"model": MODEL, "raw": True, "prompt": "<|start|>user<|message|>Hi<|end|><|start|>assistant"}
    for path, forwarded in (("/api/chat", _question(CHAT)), ("/api/generate", raw)):
        body = json.dumps(forwarded).encode()
        for answer in BAD:
            yield Attack(f"An engine, {path}: {answer}", answer, path, partial(bytes, body), answer)


def _question(path: str) -> dict[str, Any]:
    question = {"input": "Hi"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hi"}]}
    return {"model": MODEL, **question}


def _compressed() -> Iterator[Attack]:
    text = '{"role":"user","content":"' + "a " * 10**6 + '"},'
    for size in DECODED_SIZES:
        for name, entry in {**ENTRIES, "text": text}.items():
            title = f"Compressed, {size} MB of {name}"
            body = partial(_compressed_messages, entry, size * MEGABYTE)
            encoding = (("Content-Encoding", "gzip"),)
            yield Attack(title, title, CHAT, body, headers=encoding, size=size * MEGABYTE)


def _compressed_messages(entry: str, size: int) -> bytes:
    entries = (entry * (size // len(entry))).rstrip(",")
    return gzip.compress(f'{{"model":"{MODEL}","messages":[{entries}]}}'.encode(), 1)


def _heads() -> Iterator[Attack]:
    for head in heads():
        body = partial(bytes, b"{}") if head.method in ("POST", "PUT", "PATCH") else None
        kind = head.name.rpartition(": ")[0] or head.name
        yield Attack(head.name, kind, head.path, body, method=head.method, headers=head.headers)


def _references() -> Iterator[Attack]:
    for name, prepare in references():
        method = "GET" if name.endswith("page") else "POST"
        yield Attack(f"References to {name}", name, RESPONSES, method=method, prepare=prepare)
