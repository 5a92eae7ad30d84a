"""The private names of llm that the project uses: where, and that this version of llm has them.

If a new version of llm breaks this file, mend `llm_gpt_oss/llm_internals.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import llm
import pytest
import sqlite_utils
from llm import models as llm_models
from llm.logs import LogStore
from llm.models import _BaseModel
from llm.parts import StreamEvent, TextPart

from llm_gpt_oss.llm_internals import (
    ModelBase,
    has_output,
    load_parts,
    messages_so_far,
    partial_response,
    set_start_time,
    set_times,
    write_part,
)

INTERNALS = "llm_gpt_oss/llm_internals.py"
# The private functions of llm's commands, which have a test of their own.
CLI_INTERNALS = "llm_gpt_oss/cli/llm_cli_internals.py"
ROOT = Path(__file__).parents[2]

# Every private name that llm_internals.py uses: of llm's modules, and of its objects.
MODULE_NAMES = {"_BaseModel"}
ATTRIBUTES = {
    "_done",
    "_end",
    "_load_parts",
    "_write_part",
    "_messages_now",
    "_prompt",
    "_start",
    "_start_utcnow",
    "_stream_events",
    "_system",
    "_to_sync_response",
    "_validate_attachments",
}
WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


class Echo(llm.Model):
    model_id = "echo"

    def execute(self, prompt, stream, response, conversation):  # type: ignore[no-untyped-def]
        yield StreamEvent("reasoning", "Hm.", part_index=0)
        yield StreamEvent("text", "Hi", part_index=1)
        yield StreamEvent("text", "!", part_index=1)


class AsyncEcho(llm.AsyncModel):
    model_id = "echo"

    async def execute(self, prompt, stream, response, conversation):  # type: ignore[no-untyped-def]
        for event in Echo().execute(prompt, stream, response, conversation):
            yield event


class Picky(ModelBase, Echo):
    def validate_attachments(self, attachments: list[llm.Attachment]) -> None:
        if attachments:
            raise ValueError("text only")


# What the module uses


def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def private_attributes(nodes: Iterable[ast.AST]) -> Iterator[str]:
    "Of other objects than `self` and `cls`; and methods that a class of llm's may call."
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr
        elif isinstance(node, ast.ClassDef):
            methods = (item.name for item in node.body if isinstance(item, ast.FunctionDef))
            yield from (name for name in methods if is_private(name) and hasattr(_BaseModel, name))


def private_imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "llm":
            yield from (alias.name for alias in node.names if is_private(alias.name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_the_lists_name_all_that_the_module_uses() -> None:
    module = nodes(ROOT / INTERNALS)
    assert set(private_attributes(module)) == ATTRIBUTES
    assert set(private_imports(module)) == MODULE_NAMES


@pytest.mark.parametrize(
    "module",
    [
        module
        for package in ("llm_gpt_oss", "proxy")
        for path in sorted((ROOT / package).rglob("*.py"))
        if (module := path.relative_to(ROOT).as_posix()) not in (INTERNALS, CLI_INTERNALS)
    ],
)
def test_no_other_module_uses_a_private_name_of_llm(module: str) -> None:
    found = nodes(ROOT / module)
    assert set(private_attributes(found)) & ATTRIBUTES == set()
    assert set(private_imports(found)) == set()


# What this version of llm has


def test_llm_has_the_names() -> None:
    response = Echo().prompt("Hello?")
    owners = [
        llm_models,
        Echo(),
        response,
        response.prompt,
        AsyncEcho().prompt("Hello?"),
        LogStore(sqlite_utils.Database(memory=True)),
    ]
    assert {
        name for name in MODULE_NAMES | ATTRIBUTES if not any(hasattr(owner, name) for owner in owners)
    } == set()


def test_llm_asks_a_model_whether_it_takes_attachments() -> None:
    with pytest.raises(ValueError, match="text only"):
        Picky().prompt("What is it?", attachments=[llm.Attachment(content=b"GIF", type="image/gif")])
    assert Picky().prompt("Hello?").text() == "Hi!"


def test_a_partial_response_is_complete_for_llm() -> None:
    response = Echo().prompt("Hello?")
    events = response.stream_events()
    assert [next(events).chunk, next(events).chunk] == ["Hm.", "Hi"]
    partial = partial_response(response)
    assert partial.text() == "Hi"
    assert partial.id == response.id
    assert partial.duration_ms() >= 0
    assert [event.chunk for event in events] == ["!"], "the original goes on"


async def test_a_partial_async_response_is_a_sync_one() -> None:
    response = AsyncEcho().prompt("Hello?")
    events = response.astream_events()
    assert [(await anext(events)).chunk, (await anext(events)).chunk] == ["Hm.", "Hi"]
    partial = partial_response(response)
    assert isinstance(partial, llm.Response)
    assert partial.text() == "Hi"
    assert partial.duration_ms() >= 0
    await events.aclose()


def test_output_so_far() -> None:
    response = Echo().prompt("Hello?")
    assert not has_output(response)
    assert messages_so_far(response) == []
    events = response.stream_events()
    next(events)
    next(events)
    assert has_output(response)
    (message,) = messages_so_far(response)
    assert message.parts[1:] == [TextPart("Hi")]


async def test_output_so_far_of_an_async_response() -> None:
    response = AsyncEcho().prompt("Hello?")
    assert not has_output(response)
    events = response.astream_events()
    await anext(events)
    assert has_output(response)
    assert len(messages_so_far(response)) == 1
    await events.aclose()


async def test_a_response_that_never_ran_has_a_start_time() -> None:
    for response in (Echo().prompt("Hello?"), AsyncEcho().prompt("Hello?")):
        assert partial_response(response).datetime_utc() == ""
        set_start_time(response)
        partial = partial_response(response)
        assert datetime.fromisoformat(partial.datetime_utc()).tzinfo == timezone.utc
        assert 0 <= partial.duration_ms() < 60_000


def test_times_are_set() -> None:
    response = Echo().prompt("Hello?")
    response.text()
    set_times(response, WHEN, 0.0295)
    assert datetime.fromisoformat(response.datetime_utc()) == WHEN
    assert response.duration_ms() == 29


def test_parts_of_logged_messages() -> None:
    database = sqlite_utils.Database(memory=True)
    response = Echo().prompt("Hello?")
    response.text()
    response.log_to_db(database)
    store = LogStore(database)
    (prompt,) = database.query("select hash from messages where role = 'user'")
    assert load_parts(store, [prompt["hash"]]) == {prompt["hash"]: [TextPart("Hello?")]}
    assert load_parts(store, []) == {}
    write_part(store, prompt["hash"], 1, TextPart("More"))
    assert load_parts(store, [prompt["hash"]]) == {prompt["hash"]: [TextPart("Hello?"), TextPart("More")]}
