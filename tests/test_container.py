"""The Dockerfile, without Docker. `scripts/container.sh` builds the image and runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from llm.cli import cli
from support.webserver import Answer, serving

from proxy.cli.serve import command

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instruction(name: str) -> str:
    "The arguments of the instruction that is in the Dockerfile once."
    (found,) = re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)
    return found


def test_instructions() -> None:
    known = {"#", "FROM", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {line.split()[0] for line in DOCKERFILE.splitlines()} == known


def test_command() -> None:
    program, *arguments = json.loads(instruction("CMD"))
    assert (program, arguments) == ("llm", ["gpt-oss", "serve"])
    assert cli.commands["gpt-oss"].get_command(None, "serve") is command  # type: ignore[attr-defined]


def test_the_image_gets_what_the_package_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    included = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert included == {"llm_gpt_oss", "proxy", "pyproject.toml", "README.md", "LICENSE"}
    assert ignored[0] == "*"
    assert all((ROOT / name).exists() for name in included)


@pytest.mark.parametrize(("path", "healthy"), [("/health", True), ("/elsewhere", False)])
def test_health_check(path: str, healthy: bool) -> None:
    _, _, words = instruction("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(words)
    assert program == "python"
    with serving() as web:
        web.routes = {path: Answer(b"{}")}
        port = web.url.rpartition(":")[2]
        # A proxy for HTTP does not reach the server.
        environ = {**os.environ, "API_PORT": port, "http_proxy": "http://127.0.0.1:1"}
        done = subprocess.run([sys.executable, *arguments], env=environ, capture_output=True)
    assert (done.returncode == 0) is healthy
