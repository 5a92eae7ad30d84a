"Lines that any client can cause come once in a second."

from __future__ import annotations

import logging

import pytest

from proxy.http.line_limit import LineLimit


def test_one_line_in_a_second(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    logger = logging.getLogger("test_line_limit")
    logger.addFilter(LineLimit("It came."))
    for seconds in (100.0, 100.5, 100.9, 101.0, 102.0):
        now = seconds
        logger.warning("It came.")
        logger.warning("Another line.")
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("Another line.") == 5
    assert [line for line in lines if line != "Another line."] == [
        "It came.",
        "It came. And 2 more since the line before.",
        "It came.",
    ]
