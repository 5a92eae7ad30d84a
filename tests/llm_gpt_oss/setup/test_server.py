from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from support.fake_ollama import SCRIPT, alive, program, tar
from support.webserver import Answer, WebServer

from llm_gpt_oss.engines.http.client import Client
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup import server
from llm_gpt_oss.setup.progress import Progress

NAME = "ollama-linux-amd64.tgz"


def test_server_is_started_in_its_own_session(client: Client, pid_file: Path, tmp_path: Path) -> None:
    assert server.server_version(client) is None
    assert server.start_server(program(tmp_path / "ollama", SCRIPT), client) == "1.2.3"
    assert server.server_version(client) == "1.2.3"
    pid = int(pid_file.read_text())
    assert os.getsid(pid) == pid  # Ctrl-C in this terminal does not reach it
    assert stat.S_IMODE((server.setup_folder() / "ollama.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.setup_folder().stat().st_mode) == 0o700


def test_error_of_a_server_that_exits_shows_its_log(client: Client, tmp_path: Path) -> None:
    failing = program(tmp_path / "ollama", "seq 20; echo 'address already in use' >&2; exit 3")
    with pytest.raises(GptOssError) as failed:
        server.start_server(failing, client)
    message = str(failed.value)
    assert "exited immediately (exit status 3)" in message
    assert "\n  14\n" in message
    assert "\n  13\n" not in message
    assert "\n  address already in use\n" in message
    assert str(server.setup_folder() / "ollama.log") in message


def test_server_that_does_not_answer_is_killed(client: Client, pid_file: Path, tmp_path: Path) -> None:
    (server.setup_folder() / "ollama.log").write_text("from an earlier start\n")
    silent = program(tmp_path / "ollama", "echo $$ > $PID_FILE; exec sleep 60")
    with pytest.raises(GptOssError, match=r"does not answer after 0\.3 seconds(?s:.*)\(nothing\)"):
        server.start_server(silent, client, timeout=0.3)
    assert not alive(pid_file)


def test_ctrl_c_kills_a_starting_server(client: Client, pid_file: Path, tmp_path: Path) -> None:
    silent = program(tmp_path / "ollama", "echo $$ > $PID_FILE; exec sleep 60")

    class Interrupted(Client):
        def send(self, call: Any) -> Any:
            while not (pid_file.exists() and pid_file.read_text()):
                time.sleep(0.01)
            raise KeyboardInterrupt

    with Interrupted(client.endpoint) as client, pytest.raises(KeyboardInterrupt):
        server.start_server(silent, client)
    assert not alive(pid_file)


def test_program_that_cannot_be_run(client: Client, tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match=r"nothing cannot be run: No such file.*ollama\.com"):
        server.start_server(tmp_path / "nothing", client)


def test_flags_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}

    class Popen:
        def __init__(self, command: list[Any], **arguments: Any) -> None:
            options.update(arguments)

    monkeypatch.setattr(server.sys, "platform", "win32")
    monkeypatch.setattr(server.subprocess, "DETACHED_PROCESS", 8, raising=False)
    monkeypatch.setattr(server.subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    monkeypatch.setattr(server.subprocess, "Popen", Popen)
    server._run_server(tmp_path, io.BytesIO())
    assert options["creationflags"] == 520
    assert "start_new_session" not in options


def test_program_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert server.find_program() is None
    installed = program(server.setup_folder() / "ollama/bin/ollama", "")
    assert server.find_program() == installed
    on_path = program(tmp_path / "path/ollama", "")
    assert server.find_program() == on_path


@pytest.fixture
def release(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> str:
    "The URL of a release for this machine that contains only a program."
    content = gzip.compress(tar(**{"bin/ollama": "#!/bin/sh\n"}))
    monkeypatch.setattr(server.platform, "system", lambda: "Linux")
    monkeypatch.setattr(server.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "")
    web.routes[f"/v/{NAME}"] = Answer(content)
    web.routes["/v/sha256sum.txt"] = Answer(f"{hashlib.sha256(content).hexdigest()}  ./{NAME}\n".encode())
    return f"{web.url}/v"


def test_install(release: str, reports: list[Progress]) -> None:
    program_path = server.install(release, reports.append)
    assert program_path == server.setup_folder() / "ollama/bin/ollama" == server.find_program()
    assert os.listdir(server.setup_folder()) == ["ollama"]
    assert list(dict.fromkeys(step.label for step in reports)) == [
        NAME,
        f"checking {NAME}",
        f"unpacking {NAME}",
    ]


def test_interrupted_unpacking_is_repeated_without_a_download(
    release: str, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(server, "unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.install(release, lambda _: None)
    web.requests.clear()
    assert server.install(release, lambda _: None) == server.find_program()
    assert web.requests[-1][1]["Range"].startswith("bytes=")


def test_release_without_a_program(release: str, web: WebServer) -> None:
    content = gzip.compress(tar(readme="hello"))
    web.routes[f"/v/{NAME}"] = Answer(content)
    web.routes["/v/sha256sum.txt"] = Answer(f"{hashlib.sha256(content).hexdigest()}  {NAME}\n".encode())
    with pytest.raises(GptOssError, match=f"{NAME} does not contain a program called ollama"):
        server.install(release, lambda _: None)
