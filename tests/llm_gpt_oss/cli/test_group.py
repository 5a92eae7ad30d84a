from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from support.commands import run
from support.webserver import WebServer

from llm_gpt_oss.cli import COMMANDS, gpt_oss


def test_every_command_is_there_and_says_what_it_does() -> None:
    listed = run("--help").output
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        assert run(name, "--help").exit_code == 0


def test_a_command_may_be_added_by_someone_else() -> None:
    group = type(gpt_oss)("gpt-oss", commands=[click.Command("dance", help="Dance")])
    assert "dance" in CliRunner().invoke(group, ["--help"]).output
    assert CliRunner().invoke(group, ["dance"]).exit_code == 0
    assert CliRunner().invoke(group, ["nothing"]).exit_code == 2


def test_importing_the_group_imports_no_command() -> None:
    script = (
        "import sys, llm\n"
        "before = {*sys.modules}\n"
        "import llm_gpt_oss.cli\n"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    dear = ("llm_gpt_oss.cli.", "llm_gpt_oss.setup", "llm_gpt_oss.engines", "httpx", "tarfile", "tempfile")
    assert [name for name in done.stdout.split() if name.startswith(dear)] == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_is_one_line(stop: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise stop

    monkeypatch.setattr(gpt_oss, "commands", {"wait": click.Command("wait", callback=stopped)})
    result = run("wait")
    assert (result.exit_code, result.output) == (130, "Stopped.\n")


def test_a_real_ctrl_c(ollama: WebServer, tmp_path: Path) -> None:
    script = (
        "import os, signal, llm_gpt_oss.setup.model as model\n"
        "model.run_with_retries = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        "from llm_gpt_oss.cli import gpt_oss\n"
        "gpt_oss(['pull'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


@pytest.mark.parametrize("command", ["status", "pull", "warm", "unload"])
@pytest.mark.usefixtures("nobody")
def test_where_nobody_answers_the_remedy_is_said(command: str) -> None:
    result = run(command)
    assert result.exit_code == 1
    assert "Error: Ollama does not answer at http://127.0.0.1:1" in result.stderr
    assert "`llm gpt-oss setup`" in result.stderr
