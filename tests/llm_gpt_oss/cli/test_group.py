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


def test_help_lists_every_command() -> None:
    help_text = run("--help").output
    for name in COMMANDS:
        assert f"\n  {name} " in help_text
        assert run(name, "--help").exit_code == 0


def test_other_commands_can_be_added() -> None:
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
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = ("llm_gpt_oss.cli.", "llm_gpt_oss.setup", "llm_gpt_oss.engines", "httpx", "tarfile", "tempfile")
    assert [name for name in process.stdout.split() if name.startswith(heavy)] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_prints_one_line(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise error

    monkeypatch.setattr(gpt_oss, "commands", {"wait": click.Command("wait", callback=interrupted)})
    result = run("wait")
    assert (result.exit_code, result.output) == (130, "Stopped.\n")


def test_real_ctrl_c(ollama: WebServer, tmp_path: Path) -> None:
    script = (
        "import os, signal, llm_gpt_oss.setup.model as model\n"
        "model.run_with_retries = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        "from llm_gpt_oss.cli import gpt_oss\n"
        "gpt_oss(['pull'])"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (130, "", "Stopped.\n")


@pytest.mark.parametrize("command", ["status", "pull", "warm", "unload"])
@pytest.mark.usefixtures("no_ollama")
def test_unreachable_server_error_has_a_remedy(command: str) -> None:
    result = run(command)
    assert result.exit_code == 1
    assert "Error: Ollama does not answer at http://127.0.0.1:1" in result.stderr
    assert "`llm gpt-oss setup`" in result.stderr
