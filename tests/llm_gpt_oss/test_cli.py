from __future__ import annotations

import gzip
import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import llm
import pytest
from click.testing import CliRunner, Result
from fake_ollama import PID_FILE, SCRIPT, end, free_port, tar
from webserver import Answer, WebServer, lines, serving

from llm_gpt_oss import registry
from llm_gpt_oss.cli import COMMANDS, gpt_oss
from llm_gpt_oss.cli import setup as setup_command
from llm_gpt_oss.cli.terminal import ProgressLine, columns, memory, moment, size
from llm_gpt_oss.setup.progress import Progress

TAG = "gpt-oss:20b"
THERE = {"name": TAG, "digest": "d", "size": 13_780_000_000, "details": {"family": "gptoss"}}
LOADED: dict[str, Any] = {
    "name": TAG,
    "size": 14_000_000_000,
    "size_vram": 7_000_000_000,
    "context_length": 8192,
    "expires_at": "2026-11-23T04:09:35.950026915Z",
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gpt_oss, arguments)


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "An Ollama with the model there, and loaded once it was asked to."
    with serving() as web:
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        web.routes = {
            "/api/version": lines({"version": "0.33.0"}),
            "/api/tags": lines({"models": [THERE]}),
            "/api/ps": lines({"models": [LOADED]}),
            "/api/generate": lines({"done": True, "done_reason": "load"}),
            "/api/pull": lines({"status": "pulling manifest"}, {"status": "success"}),
        }
        yield web


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PATH", "")


# The group


def test_every_command_is_there_and_says_what_it_does() -> None:
    listed = run("--help").output
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        assert run(name, "--help").exit_code == 0


def test_a_command_may_be_added_by_someone_else() -> None:
    group = type(gpt_oss)("gpt-oss", commands=[click.Command("serve", help="Serve")])
    assert "serve" in CliRunner().invoke(group, ["--help"]).output
    assert CliRunner().invoke(group, ["serve"]).exit_code == 0
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
        "model.persist = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
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


# status


def test_status_for_people(ollama: WebServer) -> None:
    until = moment(LOADED["expires_at"])
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"Ollama   0.33.0 at {ollama.url}",
        "Model    gpt-oss:20b",
        "Pulled   yes, 13.8 GB",
        f"Loaded   yes, 14.0 GB 50 % on the GPU, context of 8192 tokens, until {until}",
        f"Log      {llm.user_dir()}/logs.db, nothing yet",
        "Logging  on",
    ]
    assert result.stderr == ""


def test_status_for_programs(ollama: WebServer) -> None:
    (llm.user_dir() / "logs.db").write_bytes(b"12345")
    (llm.user_dir() / "logs-off").touch()
    result = run("status", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "server": ollama.url,
        "model": TAG,
        "log": f"{llm.user_dir()}/logs.db",
        "log_size": 5,
        "logging": False,
        "version": "0.33.0",
        "installed": True,
        "size": 13_780_000_000,
        "loaded": True,
        "context_length": 8192,
        "memory": 14_000_000_000,
        "memory_on_gpu": 7_000_000_000,
        "expires_at": LOADED["expires_at"],
        "problem": None,
        "ready": True,
    }


@pytest.mark.parametrize(
    ("path", "answer", "shown", "problem"),
    [
        pytest.param(
            "/api/tags", {"models": []}, "Pulled   no\nLoaded   no", "pull gpt-oss:20b`", id="not pulled"
        ),
        pytest.param(
            "/api/tags",
            {"models": [{**THERE, "details": {"family": "bert"}}]},
            "Pulled   yes, 13.8 GB\nLoaded   no",
            "is a bert model, not a gpt-oss",
            id="not of the family",
        ),
        pytest.param("/api/tags", {"error": "disk on fire"}, "Pulled   no", "disk on fire", id="in trouble"),
    ],
)
def test_status_says_why_there_would_be_no_answer(
    path: str, answer: Any, shown: str, problem: str, ollama: WebServer
) -> None:
    ollama.routes[path] = lines(answer)
    result = run("status")
    assert result.exit_code == 1
    assert shown in result.stdout
    assert problem in result.stderr
    as_json = run("status", "--json")
    assert (as_json.exit_code, as_json.stderr) == (1, "")
    assert json.loads(as_json.stdout)["ready"] is False
    assert problem in json.loads(as_json.stdout)["problem"]


@pytest.mark.usefixtures("nobody")
def test_status_knows_its_own_side_when_nobody_answers() -> None:
    (llm.user_dir() / "logs-off").touch()
    shown = run("status").stdout
    assert "Ollama   no answer at http://127.0.0.1:1\n" in shown
    assert "Pulled   unknown\nLoaded   unknown\n" in shown
    assert "Logging  off: `llm logs on` turns it on\n" in shown


def test_a_model_that_is_not_loaded_is_ready_all_the_same(ollama: WebServer) -> None:
    ollama.routes["/api/ps"] = lines({"models": []})
    ollama.routes["/api/tags"] = lines(
        {"models": [{"name": TAG, "size": 1}]}
    )  # no family: nothing against it
    result = run("status", "gpt-oss-20b")
    assert result.exit_code == 0
    assert "Loaded   no\n" in result.stdout


def test_an_older_server_says_less(ollama: WebServer) -> None:
    ollama.routes["/api/ps"] = lines({"models": [{"name": TAG, "size": 10, "size_vram": 0}]})
    assert "Loaded   yes, 10 B on the CPU\n" in run("status").stdout


def test_no_secret_is_shown(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", ollama.url.replace("//", "//me:pa55@"))
    monkeypatch.setenv("OLLAMA_API_KEY", "hidden")
    for arguments in (["status"], ["status", "--json"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "pa55" not in result.output
        assert "hidden" not in result.output
    assert ollama.requests[0][1]["Authorization"] == "Basic bWU6cGE1NQ=="


def test_the_key_is_the_one_that_a_prompt_sends(ollama: WebServer) -> None:
    (llm.user_dir() / "keys.json").write_text(json.dumps({"ollama": "k"}))
    run("status")
    assert ollama.requests[0][1]["Authorization"] == "Bearer k"


# pull, warm, unload


def test_pull_shows_how_far_it_is(ollama: WebServer) -> None:
    layer = {"status": "pulling 123456789abc", "digest": "sha256:1", "total": 2_000_000}
    steps = [{**layer, "completed": done} for done in (0, 100_000, 1_000_000, 1_000_001, 2_000_000)]
    ollama.routes["/api/pull"] = lines({"status": "pulling manifest"}, *steps, {"status": "success"})
    result = run("pull", "127.0.0.1:5000/library/tiny", "--insecure")
    assert result.stderr.splitlines() == [
        "pulling manifest",
        "pulling 123456789abc: 0 % of 2.0 MB",
        "pulling 123456789abc: 50 % of 2.0 MB",
        "pulling 123456789abc: 100 % of 2.0 MB",
        "success",
    ]
    assert result.stdout == "127.0.0.1:5000/library/tiny is here.\n"
    assert ollama.bodies == [{"model": "127.0.0.1:5000/library/tiny", "stream": True, "insecure": True}]


def test_pull_of_something_that_is_no_tag(ollama: WebServer) -> None:
    result = run("pull", "not a tag")
    assert (result.exit_code, ollama.requests) == (1, [])
    assert result.stderr.startswith("Error: 'not a tag' is no name of a model.")


def test_warm_loads_and_unload_does_the_contrary(ollama: WebServer) -> None:
    result = run("warm")
    assert result.stdout == "gpt-oss:20b is in memory: 14.0 GB 50 % on the GPU.\n"
    assert result.stderr == "Loading gpt-oss:20b into memory\n"
    ollama.routes["/api/ps"] = lines({"models": []})
    assert run("warm").stdout == "gpt-oss:20b is in memory.\n"
    ollama.bodies.clear()
    ollama.routes["/api/generate"] = lines({"done": True, "done_reason": "unload"})
    assert run("unload", "gpt-oss-120b").stdout == "gpt-oss:120b is out of memory.\n"
    assert ollama.bodies[0]["model"] == "gpt-oss:120b"
    assert ollama.bodies[0]["keep_alive"] == 0


def test_without_a_tag_it_is_the_model_that_gpt_oss_means(
    ollama: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "tiny")
    assert run("pull").stdout == "tiny is here.\n"


# models


def test_models_are_listed_added_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "tiny")
    added = run("models", "add", "gpt-oss-safeguard:20b", "--alias", "guard", "--alias", "g")
    assert added.stderr == "Added gpt-oss-safeguard:20b. Type `llm -m guard` to run it.\n"
    assert run("models", "add", "a/b").stderr == "Added a/b. Type `llm -m a/b` to run it.\n"
    assert run("models", "list").stdout.splitlines() == [
        "tag                      aliases         from",
        "gpt-oss:20b              gpt-oss-20b     built in",
        "gpt-oss:120b             gpt-oss-120b    built in",
        "gpt-oss-safeguard:20b    guard, g        added",
        "a/b                                      added",
        "tiny                     gpt-oss         LOCAL_LLM_MODEL",
    ]
    assert run("models", "remove", "gpt-oss-safeguard:20b").stderr == "Removed gpt-oss-safeguard:20b.\n"
    assert json.loads(run("models", "list", "--json").stdout)[2:] == [
        {"tag": "a/b", "aliases": [], "from": "added"},
        {"tag": "tiny", "aliases": ["gpt-oss"], "from": "LOCAL_LLM_MODEL"},
    ]


def test_a_name_that_llm_has_for_something_else_is_no_alias() -> None:
    result = run("models", "add", "tiny", "--alias", "gpt-4o")
    assert result.exit_code == 1
    assert result.stderr == "Error: gpt-4o already means gpt-4o. Type another alias.\n"
    assert registry.read() == {}


def test_our_own_alias_may_be_moved() -> None:
    assert run("models", "add", "tiny", "--alias", "gpt-oss").exit_code == 0
    assert registry.read() == {"tiny": ["gpt-oss"]}


def test_a_broken_file_is_named_where_it_is_used() -> None:
    registry.path().write_text("{")
    result = run("models", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(registry.path()) in result.stderr


# setup


@dataclass
class Model:
    "What llm.get_model gives, as far as setup asks."

    tag: str

    def prompt(self, text: str, **options: Any) -> list[str]:
        return [f"{self.tag} says ", f"hello, {options['reasoning_effort']}"]


@pytest.fixture(autouse=True)
def answering_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "get_model", Model)


HELLO = "$ llm -m {0} 'Say hello in one short sentence.'\n{0} says hello, low\n"


def test_setup_where_all_is_there_already(ollama: WebServer) -> None:
    result = run("setup")
    assert result.stdout == (
        f"Ollama 0.33.0 answers at {ollama.url}.\n"
        "gpt-oss:20b is here.\n"
        "gpt-oss:20b is in memory: 14.0 GB 50 % on the GPU.\n\n" + HELLO.format(TAG)
    )
    assert "/api/pull" not in [path for path, _ in ollama.requests]
    assert not registry.path().exists()


def test_setup_pulls_what_is_missing_and_makes_it_a_model(ollama: WebServer) -> None:
    result = run("setup", "--model", "my-tune")
    assert result.exit_code == 0
    assert ollama.bodies[2] == {"model": "my-tune", "stream": True}
    assert "pulling manifest\nsuccess\n" in result.stderr
    assert registry.read() == {"my-tune": []}
    assert result.stdout.endswith(HELLO.format("my-tune"))


def test_setup_starts_nothing_for_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_command, "answering", lambda client: None)
    monkeypatch.setenv("OLLAMA_HOST", "http://192.0.2.1:11434")
    result = run("setup", "--yes")
    assert result.exit_code == 1
    assert (
        "Nobody answers at http://192.0.2.1:11434, and that is another machine. Start Ollama there"
        in result.stderr
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, ollama: WebServer) -> list[str]:
    "What setup does to the machine, none of it done: downloads and starts are noted here."
    done: list[str] = []

    def install(source: str, report: Any) -> Path:
        done.append(f"install {source}")
        report(Progress("unpacking"))
        return Path("/there/ollama")

    def start(program: Path, client: Any) -> str:
        done.append(f"start {program}")
        return "1.2.3"

    monkeypatch.setattr(setup_command, "answering", lambda client: None)
    monkeypatch.setattr(setup_command, "find", lambda: None)
    monkeypatch.setattr(setup_command, "install", install)
    monkeypatch.setattr(setup_command, "start", start)
    return done


def test_setup_starts_the_ollama_that_is_there(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_command, "find", lambda: Path("/here/ollama"))
    result = run("setup")
    assert started == ["start /here/ollama"]
    assert "Starting /here/ollama serve. Its log: " in result.stderr
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
def test_setup_downloads_from_where_it_is_told(
    arguments: list[str],
    environ: dict[str, str],
    source: str,
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run("setup", "--yes", *arguments).exit_code == 0
    assert started == [f"install {source}", "start /there/ollama"]


def test_setup_downloads_nothing_that_nobody_agreed_to(started: list[str]) -> None:
    result = run("setup")
    assert (result.exit_code, started) == (1, [])
    assert "Type `llm gpt-oss setup --yes` to download it" in result.stderr


@pytest.mark.parametrize(
    ("typed", "code", "done", "said"),
    [
        pytest.param("y\n", 0, [f"install {OFFICIAL}", "start /there/ollama"], "unpacking", id="yes"),
        pytest.param("n\n", 1, [], "Error: Nothing was downloaded. Install Ollama from", id="no"),
        pytest.param("", 130, [], "Stopped.", id="Ctrl-C"),
    ],
)
def test_setup_asks_a_person(
    typed: str, code: int, done: list[str], said: str, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_command, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    result = CliRunner().invoke(gpt_oss, ["setup"], input=typed)
    assert f"Download it from {OFFICIAL} to {llm.user_dir()}/gpt-oss? [y/N]" in result.stderr
    assert said in result.stderr
    assert (result.exit_code, started) == (code, done)


def test_setup_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ollama: WebServer) -> None:
    "Here `ollama` serves the release, and what the release holds is the Ollama."
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
        end(tmp_path / "pid")


# What people see


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (14_909_068, "14.9 MB"),
        (13_780_000_000, "13.8 GB"),
        (2 * 10**12, "2.0 TB"),
    ],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_memory() -> None:
    assert memory(1000, 0) == "1.0 kB on the CPU"
    assert memory(1000, 480) == "1.0 kB 48 % on the GPU"
    assert memory(1000, 1000) == "1.0 kB 100 % on the GPU"


def test_columns() -> None:
    assert columns([("a", "1"), ("long", "")]) == "a     1\nlong"


@pytest.mark.parametrize("text", ["2026-11-23T04:09:35.950026915Z", "2026-11-23T06:09:35.95+02:00"])
def test_a_moment_is_on_this_machines_clock(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-1")
        time.tzset()
        assert moment(text) == "2026-11-23 05:09"
    time.tzset()


def test_a_line_on_a_terminal_is_drawn_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as report:
        report(Progress("first"))
        report(Progress("layer", 0, 200))
        report(Progress("layer", 100, 200))
        report(Progress("layer", 100, 200))
    clear = "\r\033[K"
    assert capsys.readouterr().err == (
        f"{clear}first\n"
        f"{clear}layer  {'░' * 24}    0 %  0 B of 200 B"
        f"{clear}layer  {'█' * 12}{'░' * 12}   50 %  100 B of 200 B\n"
    )


def test_work_without_a_step_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine():
        pass
    assert capsys.readouterr().err == ""
