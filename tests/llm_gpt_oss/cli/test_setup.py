from __future__ import annotations

import gzip
import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import llm
import pytest
from click.testing import CliRunner
from support.commands import LOADED, TAG, run
from support.fake_ollama import PID_FILE, SCRIPT, free_port, kill, tar
from support.webserver import Answer, WebServer, lines

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.cli import gpt_oss
from llm_gpt_oss.cli import setup as setup_command
from llm_gpt_oss.cli.terminal import format_time
from llm_gpt_oss.setup.progress import Progress


@dataclass
class Model:
    "The part of a model that setup uses."

    tag: str

    def prompt(self, text: str, **options: Any) -> list[str]:
        return [f"{self.tag} says ", f"hello, {options['reasoning_effort']}"]


@pytest.fixture(autouse=True)
def answering_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "get_model", Model)


HELLO = "$ llm -m {0} 'Say hello in one short sentence.'\n{0} says hello, low\n"


def test_setup_with_everything_installed(ollama: WebServer) -> None:
    until = format_time(LOADED["expires_at"])
    result = run("setup")
    assert result.stdout == (
        f"Ollama 0.33.0 answers at {ollama.url}.\n"
        "gpt-oss:20b is installed.\n"
        f"gpt-oss:20b is loaded: 14.0 GB 50 % on the GPU, context of 8192 tokens, until {until}.\n\n"
        + HELLO.format(TAG)
    )
    assert "/api/pull" not in [path for path, _ in ollama.requests]
    assert not models_file.models_path().exists()


def test_setup_pulls_and_adds_a_missing_model(ollama: WebServer) -> None:
    ollama.routes["/api/show"] = lines({"details": {"family": "gptoss"}})
    result = run("setup", "--model", "my-tune")
    assert result.exit_code == 0
    assert {"model": "my-tune", "stream": True} in ollama.bodies
    assert "pulling manifest\nsuccess\n" in result.stderr
    assert models_file.read_aliases() == {"my-tune": []}
    assert result.stdout.endswith(HELLO.format("my-tune"))


def test_setup_refuses_other_model_families(ollama: WebServer) -> None:
    ollama.routes["/api/show"] = lines({"details": {"family": "llama"}})
    result = run("setup", "--model", "llama3")
    assert (result.exit_code, models_file.read_aliases()) == (1, {})
    assert "Error: llama3 is a model of the family llama" in result.stderr
    assert "/api/generate" not in [path for path, _ in ollama.requests]


def test_setup_refuses_models_of_other_plugins(ollama: WebServer) -> None:
    assert "gpt-4o is another plugin's model, gpt-4o." in run("setup", "--model", "gpt-4o").stderr
    assert ollama.requests == []


def test_setup_starts_no_server_for_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_command, "server_version", lambda client: None)
    monkeypatch.setenv("OLLAMA_HOST", "http://192.0.2.1:11434")
    result = run("setup", "--yes")
    assert result.exit_code == 1
    assert "http://192.0.2.1:11434, which is another machine. Start Ollama there" in result.stderr


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch, ollama: WebServer) -> list[str]:
    "Replaces downloading and starting; the list records them."
    actions: list[str] = []

    def install(source: str, report: Any) -> Path:
        actions.append(f"install {source}")
        report(Progress("unpacking"))
        return Path("/installed/ollama")

    def start(program: Path, client: Any) -> str:
        actions.append(f"start {program}")
        return "1.2.3"

    monkeypatch.setattr(setup_command, "server_version", lambda client: None)
    monkeypatch.setattr(setup_command, "find_program", lambda: None)
    monkeypatch.setattr(setup_command, "install", install)
    monkeypatch.setattr(setup_command, "start_server", start)
    return actions


def test_setup_starts_an_installed_ollama(actions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_command, "find_program", lambda: Path("/usr/bin/ollama"))
    result = run("setup")
    assert actions == ["start /usr/bin/ollama"]
    assert "Starting /usr/bin/ollama serve. Its log: " in result.stderr
    assert result.stdout.startswith("Ollama 1.2.3 answers at ")


OFFICIAL = "https://github.com/ollama/ollama/releases/latest/download/"


@pytest.mark.parametrize(
    ("arguments", "environ", "source"),
    [
        pytest.param([], {}, OFFICIAL, id="official"),
        pytest.param(["--from", "http://m/"], {}, "http://m/", id="--from"),
        pytest.param([], {"LLM_GPT_OSS_OLLAMA_RELEASE": "http://e/"}, "http://e/", id="environment"),
        pytest.param(
            ["--from", "http://m/"], {"LLM_GPT_OSS_OLLAMA_RELEASE": "http://e/"}, "http://m/", id="both"
        ),
    ],
)
def test_setup_downloads_from_the_source(
    arguments: list[str],
    environ: dict[str, str],
    source: str,
    actions: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run("setup", "--yes", *arguments).exit_code == 0
    assert actions == [f"install {source}", "start /installed/ollama"]


def test_setup_downloads_nothing_without_consent(actions: list[str]) -> None:
    result = run("setup")
    assert (result.exit_code, actions) == (1, [])
    assert "Type `llm gpt-oss setup --yes` to download it" in result.stderr


@pytest.mark.parametrize(
    ("answer", "exit_code", "expected", "message"),
    [
        pytest.param("y\n", 0, [f"install {OFFICIAL}", "start /installed/ollama"], "unpacking", id="yes"),
        pytest.param("n\n", 1, [], "Error: Nothing was downloaded. Install Ollama from", id="no"),
        pytest.param("", 130, [], "Stopped.", id="Ctrl-C"),
    ],
)
def test_setup_asks_for_consent(
    answer: str,
    exit_code: int,
    expected: list[str],
    message: str,
    actions: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(setup_command, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    result = CliRunner().invoke(gpt_oss, ["setup"], input=answer)
    assert f"Download it from {OFFICIAL} to {llm.user_dir()}/gpt-oss? [y/N]" in result.stderr
    assert message in result.stderr
    assert (result.exit_code, actions) == (exit_code, expected)


def test_setup_from_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ollama: WebServer) -> None:
    "The fixture serves the release, which contains a fake Ollama."
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(PID_FILE, str(tmp_path / "pid"))
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{free_port()}")
    content, name = gzip.compress(tar(**{"bin/ollama": SCRIPT})), "ollama-linux-arm64.tgz"
    sums = f"{hashlib.sha256(content).hexdigest()}  ./{name}\n"
    ollama.routes = {f"/v/{name}": Answer(content), "/v/sha256sum.txt": Answer(sums.encode())}
    try:
        result = run("setup", "--yes", "--from", f"{ollama.url}/v")
        assert result.exit_code == 0, result.output
        assert "Ollama 1.2.3 answers at http://127.0.0.1:" in result.stdout
        assert result.stdout.endswith(HELLO.format(TAG))
        assert f"{name}: 100 % of " in result.stderr
        assert run("setup").stdout == result.stdout
        assert run("status").exit_code == 0
    finally:
        kill(tmp_path / "pid")
