"""What conftest.py promises to every other test."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path

import llm
import pytest
from support.recording import anonymous, portable
from vcr.request import Request


@pytest.mark.parametrize("number", range(2))
def test_the_user_directory_is_this_tests(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    assert tmp_path_factory.getbasetemp() in llm.user_dir().parents
    assert list(llm.user_dir().iterdir()) == []
    (llm.user_dir() / "aliases.json").write_text("{}")


def test_nothing_of_the_callers_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    ours = {name for name in os.environ if name.startswith(("OLLAMA_", "LOCAL_LLM_", "LLM_"))}
    assert ours == {"LLM_USER_PATH", "OLLAMA_MODELS"}
    assert tmp_path_factory.getbasetemp() in Path(os.environ["OLLAMA_MODELS"]).parents


@pytest.mark.parametrize("address", [("127.0.0.1", 11434), ("192.0.2.1", 80)])
def test_no_way_out(address: tuple[str, int]) -> None:
    with pytest.raises(pytest.fail.Exception, match=address[0]):
        socket.create_connection(address)


async def test_no_way_out_for_async_code_either() -> None:
    with pytest.raises(pytest.fail.Exception):
        await asyncio.open_connection("127.0.0.1", 11434)


def test_scripted_servers_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_cassettes_do_not_tell_who_asked_whom() -> None:
    headers = {"Authorization": "Bearer secret", "X-Mine": "secret", "Content-Type": "application/json"}
    request = anonymous(Request("POST", "https://me:secret@my.host:1/api/show?a=b", b"{}", headers))
    assert request.uri == "http://ollama/api/show?a=b"
    assert dict(request.headers) == {"Content-Type": "application/json"}


def test_cassettes_do_not_tell_where_models_lie() -> None:
    body = b'{"error":"open /home/me/.ollama/models/blobs/sha256-1: no such file"}'
    answer = portable({"headers": {}, "body": {"string": body}})
    assert answer["body"]["string"] == b'{"error":"open blobs/sha256-1: no such file"}'


def test_cassettes_keep_nothing_that_differs_each_time_or_that_nobody_reads() -> None:
    body = b"""{"modelfile":"FROM x","template":"y","tensors":[{"shape":[1]}],"modified_at":"2027",
        "model_info":{"general.architecture":"a","a.block_count":8,"a.context_length":4096}}"""
    answer = portable({"headers": {"Date": ["now"], "Content-Type": ["a/b"]}, "body": {"string": body}})
    assert answer["headers"] == {"Content-Type": ["a/b"]}
    assert json.loads(answer["body"]["string"]) == {
        "modified_at": "2026-11-22T12:00:00Z",
        "model_info": {"general.architecture": "a", "a.context_length": 4096},
    }
    line = b'{"model":"m","created_at":"2027-01-01T00:00:00Z","response":"\\u003c\xc2\x85","done":false}\n'
    answer = portable({"headers": {}, "body": {"string": line * 2}})
    assert answer["body"]["string"] == b'{"response":"\\u003c\xc2\x85","done":false}\n' * 2
