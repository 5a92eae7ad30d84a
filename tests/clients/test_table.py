from __future__ import annotations

from support.clients.records import REQUESTS, read_requests, read_results
from support.clients.results import rows
from support.clients.table import CLIENTS, PROGRAMS


def test_each_program_is_a_client() -> None:
    programs = {path.name for path in PROGRAMS.iterdir()}
    assert programs == {client.program for client in CLIENTS}


def test_each_client_that_was_run_has_passed() -> None:
    assert {slug: found["cases"] for slug, found in read_results().items()} == {
        client.slug: dict.fromkeys(client.cases, "passed")
        for client in CLIENTS
        if client.slug in read_results()
    }


def test_each_client_that_was_run_has_requests_of_each_case() -> None:
    recorded = {path.stem: {each["case"] for each in read_requests(path)} for path in REQUESTS.iterdir()}
    assert recorded == {slug: {*found["cases"]} for slug, found in read_results().items()}


def test_row() -> None:
    assert rows()[:2] == [
        ["client", "version", "plain", "stream", "tools", "structured", "reasoning"],
        ["OpenAI's SDK for Python, chat", read_results()["openai_chat"]["version"], *["yes"] * 5],
    ]
