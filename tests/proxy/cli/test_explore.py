"`llm gpt-oss explore`"

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest
from click.testing import CliRunner
from support.fork_server import ForkServer
from support.logged_turns import assistant, user
from support.turn_logs import TurnLog

from proxy.cli import explore

EXPLORER = ForkServer("proxy.cli.explore", "uvicorn", "proxy.explore.standalone", "datasette.app")
STARTER = """
import sys, webbrowser
from proxy.cli.explore import command
webbrowser.open = lambda address: print("opened", address, flush=True)
command(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("options", "opened", "path", "text"),
    [
        pytest.param([], True, "", "The log of gpt-oss", id="browser"),
        pytest.param(["-n"], False, "", "The log of gpt-oss", id="none"),
        pytest.param(["last"], True, "-/turn/last", "<p>Hello</p>", id="a turn"),
    ],
)
def test_it_serves_the_log_until_it_is_stopped(
    options: list[str], opened: bool, path: str, text: str, tmp_path: Path
) -> None:
    pytest.importorskip("datasette_dashboards")
    log = tmp_path / "logs.db"
    turn_log = TurnLog(log)
    turn_log.write(user("Hi"), answer=assistant("Hello"))
    turn_log.db.close()
    process = EXPLORER.start("-c", STARTER, "-d", str(log), *options, env=os.environ, stdout=PIPE, text=True)
    assert process.stdout is not None
    with process, httpx.Client(headers={"accept": "text/html"}, timeout=60) as client:
        try:
            lines = [process.stdout.readline().strip() for _ in range(1 + opened)]
            addresses = [line.removeprefix("opened ") for line in lines]
            assert all(
                re.fullmatch(rf"http://127\.0\.0\.1:\d+/logs/{re.escape(path)}\?token=\S{{43}}", each)
                for each in addresses
            )
            assert len({*addresses}) == len(addresses)
            for address in addresses:
                page = client.get(address, follow_redirects=True)
                assert text in page.text
                client.cookies.clear()
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("id", "turns"), [pytest.param("a b", 1, id="unknown"), pytest.param("last", 0, id="no turns")]
)
def test_an_id_that_the_log_does_not_have(id: str, turns: int, tmp_path: Path) -> None:
    pytest.importorskip("datasette_dashboards")
    log = TurnLog(tmp_path / "logs.db")
    for _ in range(turns):
        log.write(user("Hi"), answer=assistant("Hello"))
    log.db.close()
    result = CliRunner().invoke(explore.command, ["-d", str(tmp_path / "logs.db"), "-n", id])
    assert result.exit_code == 1
    assert f"has no turn, thread or answer {id!r}" in result.output


def test_what_to_type_where_datasette_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.explore.mount.find_spec", lambda name: None)
    result = CliRunner().invoke(explore.command)
    assert "Datasette is not installed. Type `llm install 'llm-gpt-oss[datasette]'`." in result.output
