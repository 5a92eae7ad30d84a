from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest

from proxy.http import connection_limit
from proxy.http.connection_limit import (
    MIN_CONNECTIONS,
    RESERVED_FILES,
    AcceptErrors,
    SecondlyWarning,
    max_connections,
    raise_file_limit,
)

INFINITY = -1


class Limits:
    "The limits of a process, instead of this one's."

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = INFINITY

    def __init__(self, soft: int, hard: int, *, refuses: bool = False) -> None:
        self.files = (soft, hard)
        self._refuses = refuses

    def getrlimit(self, kind: int) -> tuple[int, int]:
        return self.files

    def setrlimit(self, kind: int, files: tuple[int, int]) -> None:
        if self._refuses:
            raise ValueError("not allowed to raise maximum limit")
        self.files = files


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_limits(soft: int, hard: int, **options: Any) -> Limits:
        limits = Limits(soft, hard, **options)
        monkeypatch.setattr(connection_limit, "resource", limits, raising=False)
        return limits

    monkeypatch.setattr(sys, "platform", "linux")
    return set_limits


@pytest.mark.parametrize(
    ("files", "connections"),
    [(1024, 1024 - RESERVED_FILES), (16, MIN_CONNECTIONS), (INFINITY, float("inf"))],
)
def test_max_connections(limit: Any, files: int, connections: float) -> None:
    limit(files, files)
    assert max_connections() == connections


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        pytest.param(256, 4096, 4096, id="up to the hard limit"),
        pytest.param(256, INFINITY, 65_536, id="no hard limit"),
        pytest.param(256, 1_000_000, 65_536, id="more than are needed"),
        pytest.param(100_000, 1_000_000, 100_000, id="enough already"),
        pytest.param(INFINITY, INFINITY, INFINITY, id="no limit"),
    ],
)
def test_raise_file_limit(limit: Any, soft: int, hard: int, raised: int) -> None:
    limits = limit(soft, hard)
    raise_file_limit()
    assert limits.files == (raised, hard)


def test_a_system_that_refuses_more_files(limit: Any) -> None:
    limits = limit(256, INFINITY, refuses=True)
    raise_file_limit()
    assert limits.files == (256, INFINITY)


def test_a_system_without_such_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    raise_file_limit()
    assert max_connections() == float("inf")


def test_one_warning_in_a_second(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    warn = SecondlyWarning()
    for now in (100.0, 100.5, 101.0, 101.9, 102.0):
        warn("It is %s.", now)
    assert [record.getMessage() for record in caplog.records] == [
        "It is 100.0.",
        "It is 101.0.",
        "It is 102.0.",
    ]


async def test_errors_of_accepting_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    handler = AcceptErrors()
    error = OSError(24, "Too many open files")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            handler(
                loop, {"message": "socket.accept() out of system resource", "exception": error, "socket": 1}
            )
        handler(loop, {"message": "Something else", "exception": KeyError("a")})
    assert [record.getMessage().split("\n")[0] for record in caplog.records] == [
        "No connection can be accepted at the moment: [Errno 24] Too many open files",
        "Something else",
    ]
