from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_ollama import PID_FILE, SCRIPT, alive, end, free_port, program, tar, zipped
from webserver import Answer, WebServer, lines, serving

from llm_gpt_oss.engines.ollama.client import Client
from llm_gpt_oss.errors import EngineError, EngineUnreachable, GptOssError, ModelMissing, StreamCut
from llm_gpt_oss.settings import Server
from llm_gpt_oss.setup import download as downloading
from llm_gpt_oss.setup import model, server
from llm_gpt_oss.setup import progress as progressing
from llm_gpt_oss.setup.download import download, fetch_checksums, without_login
from llm_gpt_oss.setup.progress import PATIENCE, Progress, persist
from llm_gpt_oss.setup.release import OFFICIAL, Archive, checksums, choose, folder_and_names, names
from llm_gpt_oss.setup.unpack import unpack, unpackable

BODY = bytes(range(256)) * 1000
SUM = hashlib.sha256(BODY).hexdigest()
NAME = "ollama-linux-amd64.tgz"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def seen() -> list[Progress]:
    return []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(progressing.time, "sleep", taken.append)
    return taken


# Interruptions


class Interruption(Exception):
    pass


def attempts(*runs: list[int | Exception]) -> Any:
    "Each call is the next run: bytes done, or what is raised."
    left = iter(runs)

    def attempt() -> Iterator[Progress]:
        for step in next(left):
            if isinstance(step, Exception):
                raise step
            yield Progress("layer", step, 9)

    return attempt


CUT = Interruption("gone")


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([[1, 9]], [], id="none"),
        pytest.param([[1, CUT], [2, CUT], [9]], [1, 1], id="each gets further"),
        pytest.param([[1, CUT], [CUT], [1, CUT], [2, CUT], [9]], [1, 2, 4, 1], id="patience grows back"),
    ],
)
def test_what_gets_further_goes_on(
    runs: list[list[int | Exception]], expected: list[float], seen: list[Progress], pauses: list[float]
) -> None:
    persist(attempts(*runs), seen.append, interruption=Interruption)
    assert pauses == expected
    assert seen[-1] == Progress("layer", 9, 9)
    assert [step.label for step in seen].count("Interrupted, going on: gone") == len(expected)


def test_what_gets_no_further_ends(pauses: list[float]) -> None:
    with pytest.raises(Interruption):
        persist(attempts([1, CUT], *[[1, CUT]] * 9), lambda _: None, interruption=Interruption)
    assert len(pauses) == PATIENCE - 1
    assert sum(pauses) == 15


@pytest.mark.parametrize("runs", [[[CUT]], [[0, CUT]], [[1, ValueError()]]])
def test_what_never_began_or_is_no_interruption_is_raised(
    runs: list[list[int | Exception]], pauses: list[float]
) -> None:
    with pytest.raises((Interruption, ValueError)):
        persist(attempts(*runs), lambda _: None, interruption=Interruption)
    assert pauses == []


# Which file


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", ["ollama-linux-amd64.tgz", "ollama-linux-amd64.tar.zst"]),
        ("Linux", "aarch64", ["ollama-linux-arm64.tgz", "ollama-linux-arm64.tar.zst"]),
        ("Darwin", "arm64", ["ollama-darwin.tgz"]),
        ("Darwin", "x86_64", ["ollama-darwin.tgz"]),
        ("Windows", "AMD64", ["ollama-windows-amd64.zip"]),
        ("Windows", "ARM64", ["ollama-windows-arm64.zip"]),
    ],
)
def test_the_file_for_a_machine(system: str, machine: str, expected: list[str]) -> None:
    assert names(system, machine) == expected


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("FreeBSD", "amd64"), ("", "")])
def test_a_machine_without_a_file(system: str, machine: str) -> None:
    with pytest.raises(GptOssError, match=r"ollama\.com/download"):
        names(system, machine)


LINUX = names("Linux", "x86_64")


@pytest.mark.parametrize(
    ("source", "folder", "files"),
    [
        (OFFICIAL, OFFICIAL, LINUX),
        ("http://mirror:8/v1", "http://mirror:8/v1/", LINUX),
        ("https://mirror/v1/my-ollama.tar.zst", "https://mirror/v1/", ["my-ollama.tar.zst"]),
        ("https://me:secret@mirror/a.tgz", "https://me:secret@mirror/", ["a.tgz"]),
    ],
)
def test_a_source_is_a_folder_or_a_file(source: str, folder: str, files: list[str]) -> None:
    assert folder_and_names(source, "Linux", "x86_64") == (folder, files)


@pytest.mark.parametrize(
    "source", ["", "/tmp/ollama.tgz", "file:///tmp/ollama.tgz", "ftp://mirror/", "http://[/"]
)
def test_a_source_is_on_the_web(source: str) -> None:
    with pytest.raises(GptOssError, match="--from"):
        folder_and_names(source, "Linux", "x86_64")


def test_checksums_are_read_as_sha256sum_writes_them() -> None:
    text = f"{SUM.upper()}  ./{NAME}\n{SUM} *b.zip\n\nnonsense\n"
    assert checksums(text) == {NAME: SUM, "b.zip": SUM}


def test_the_file_that_can_be_unpacked_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_gpt_oss.setup.release.unpackable", lambda name: name == "b.tar.zst")
    sums = {"a.tar.zst": "1", "b.tar.zst": "2"}
    assert choose("http://m/v/", ["x.tgz", "a.tar.zst", "b.tar.zst"], sums) == Archive(
        "http://m/v/b.tar.zst", "2"
    )
    with pytest.raises(GptOssError, match=r"unpack a\.tar\.zst.*llm install backports\.zstd"):
        choose("http://m/v/", ["a.tar.zst"], sums)
    with pytest.raises(GptOssError, match=r"no x\.tgz or y\.tgz in its sha256sum\.txt"):
        choose("http://m/v/", ["x.tgz", "y.tgz"], sums)


# Download


def archive(web: WebServer, sha256: str = SUM) -> Archive:
    return Archive(f"{web.url}/v/{NAME}", sha256)


def test_a_download_is_whole_checked_and_private(
    web: WebServer, tmp_path: Path, seen: list[Progress]
) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    file = download(archive(web), tmp_path, seen.append)
    assert file.read_bytes() == BODY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert seen[-2:] == [Progress(NAME, len(BODY), len(BODY)), Progress(f"checking {NAME}")]


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        pytest.param([Answer(BODY, cut=70_000), Answer(BODY)], [None, "bytes=70000-"], id="cut"),
        pytest.param(
            [Answer(BODY, cut=70_000), Answer(BODY, resumable=False)], [None, "bytes=70000-"], id="no range"
        ),
        pytest.param(
            [
                Answer(BODY, cut=70_000),
                Answer(status=503, resumable=False),
                Answer(BODY, cut=80_000),
                Answer(BODY),
            ],
            [None, "bytes=70000-", "bytes=70000-", "bytes=150000-"],
            id="busy",
        ),
        pytest.param([Answer(BODY, headers={"Content-Length": ""})], [None], id="no length"),
    ],
)
def test_an_interrupted_download_goes_on(
    answers: list[Answer], ranges: list[str | None], web: WebServer, tmp_path: Path, pauses: list[float]
) -> None:
    web.routes[f"/v/{NAME}"] = answers
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert [headers.get("Range") for _, headers in web.requests] == ranges
    assert len(pauses) == len(ranges) - 1


def test_a_later_download_goes_on_too(web: WebServer, tmp_path: Path, pauses: list[float]) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY, cut=70_000, resumable=False)
    with pytest.raises(GptOssError, match=rf"/v/{NAME} cannot be downloaded: .*70000 of 256000.*--from"):
        download(archive(web), tmp_path, lambda _: None)
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    web.requests.clear()
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    # And once it is all there only that is asked.
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert [headers["Range"] for _, headers in web.requests] == ["bytes=70000-", "bytes=256000-"]


def test_another_checksum_is_refused_and_the_file_thrown_away(web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    with pytest.raises(GptOssError, match=f"thrown away: its SHA-256 is {SUM}, its release says {'0' * 64}"):
        download(archive(web, "0" * 64), tmp_path, lambda _: None)
    assert os.listdir(tmp_path) == []


def test_what_an_older_release_left_is_neither_kept_nor_continued(web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    (tmp_path / f"123456789012-{NAME}").write_bytes(b"old")
    file = download(archive(web), tmp_path, lambda _: None)
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("status", "why"), [(404, "404 Not Found"), (403, "403 Forbidden"), (503, "503 Service Unavailable")]
)
def test_a_refused_download_says_so(status: int, why: str, web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(status=status)
    with pytest.raises(GptOssError, match=why):
        download(archive(web), tmp_path, lambda _: None)
    assert len(web.requests) == 1


def test_a_full_disk_says_so(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    web.routes[f"/v/{NAME}"] = Answer(BODY)
    monkeypatch.setattr(downloading.os, "open", full)
    with pytest.raises(GptOssError, match="cannot be written: No space left on device"):
        download(archive(web), tmp_path, lambda _: None)


def test_a_connection_that_breaks_in_the_middle_is_an_interruption(
    web: WebServer, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    read, calls = downloading.HTTPResponse.read, iter(range(99))

    def breaking(self: Any, amount: int) -> bytes:
        if next(calls) == 1:
            raise ConnectionResetError(104, "Connection reset by peer")
        return read(self, amount)

    monkeypatch.setattr(downloading.HTTPResponse, "read", breaking)
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert len(pauses) == 1


def test_checksums_are_fetched_with_the_login_of_the_address(web: WebServer) -> None:
    web.routes["/v/sha256sum.txt"] = Answer(f"{SUM}  ./{NAME}\n".encode())
    folder = web.url.replace("//", "//me:s%20t@") + "/v/"
    assert fetch_checksums(folder) == {NAME: SUM}
    assert web.requests[0][1]["Authorization"] == "Basic bWU6cyB0"


def test_the_login_goes_to_nobody_else_and_is_not_shown(web: WebServer) -> None:
    web.routes["/v/sha256sum.txt"] = Answer(status=302, headers={"Location": "/elsewhere"})
    with pytest.raises(GptOssError) as refused:
        fetch_checksums(web.url.replace("//", "//me:secret@") + "/v/")
    assert "secret" not in str(refused.value)
    assert "404" in str(refused.value)
    assert ["Authorization" in headers for _, headers in web.requests] == [True, False]


def test_a_release_that_nobody_serves() -> None:
    with pytest.raises(GptOssError, match="cannot be downloaded: Connection refused"):
        fetch_checksums("http://127.0.0.1:1/")


def test_an_address_without_its_login() -> None:
    assert without_login("https://me:secret@host:1/a?b") == "https://host:1/a?b"


# Unpack


GOOD = {"bin/ollama": "#!", "lib/a.so.1": "lib", "lib/a.so": "->a.so.1"}


@pytest.fixture
def gzip_as_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    "The backport's place taken by a module that reads gzip, so that no machine has to have it."
    stand_in = ModuleType("backports.zstd")
    stand_in.open, stand_in.ZstdError = gzip.open, gzip.BadGzipFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports", ModuleType("backports"))
    monkeypatch.setitem(sys.modules, "backports.zstd", stand_in)


@pytest.fixture
def no_zstd_module(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def gzip_as_zstd_program(no_zstd_module: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "path" / "zstd", 'exec gzip --decompress --stdout < "$3"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.environ['PATH']}")


def unpacked(content: bytes, name: str, tmp_path: Path) -> Path:
    (tmp_path / name).write_bytes(content)
    folder = tmp_path / "there"
    unpack(tmp_path / name, folder)
    return folder


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.gz"])
def test_a_tar_with_its_modes_and_links(name: str, tmp_path: Path) -> None:
    folder = unpacked(gzip.compress(tar(**GOOD)), name, tmp_path)
    assert os.access(folder / "bin/ollama", os.X_OK)
    assert (folder / "lib/a.so").read_text() == "lib"
    assert {*os.listdir(tmp_path)} == {name, "there"}


@pytest.mark.usefixtures("gzip_as_zstd")
def test_a_zst_by_a_module(tmp_path: Path) -> None:
    assert unpackable("a.tar.zst")
    assert (unpacked(gzip.compress(tar(**GOOD)), "a.tar.zst", tmp_path) / "lib/a.so").read_text() == "lib"


@pytest.mark.usefixtures("gzip_as_zstd_program")
def test_a_zst_by_the_program(tmp_path: Path) -> None:
    assert unpackable("a.tar.zst")
    assert (unpacked(gzip.compress(tar(**GOOD)), "a.tar.zst", tmp_path) / "lib/a.so").read_text() == "lib"


@pytest.mark.usefixtures("no_zstd_module")
def test_without_either_only_the_others_can_be_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not unpackable("a.tar.zst")
    assert unpackable("a.tgz")
    assert unpackable("a.zip")


@pytest.mark.usefixtures("no_zstd_module")
@pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
def test_a_real_zst(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(**GOOD))
    assert os.system(f"zstd -q {tmp_path / 'a.tar'}") == 0
    unpack(tmp_path / "a.tar.zst", tmp_path / "there")
    assert (tmp_path / "there/lib/a.so").read_text() == "lib"


def test_a_zip(tmp_path: Path) -> None:
    folder = unpacked(zipped(**{"ollama.exe": "MZ", "lib/a.dll": "lib"}), "a.zip", tmp_path)
    assert (folder / "lib/a.dll").read_text() == "lib"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.tgz", gzip.compress(tar(**{"ok": "", "../evil": "x"})), id="above"),
        pytest.param("a.tgz", gzip.compress(tar(**{"out": "->../..", "out/evil": "x"})), id="through a link"),
        pytest.param("a.tgz", gzip.compress(tar(out="->/")), id="a link to elsewhere"),
        pytest.param("a.zip", zipped(**{"ok": "", "../evil": "x"}), id="above, zip"),
        pytest.param("a.zip", zipped(**{"/evil": "x"}), id="absolute, zip"),
        pytest.param("a.tgz", b"not gzip", id="no tar"),
        pytest.param("a.tgz", gzip.compress(tar(**GOOD))[:60], id="half a tar"),
        pytest.param("a.zip", b"PK not zip", id="no zip"),
        pytest.param("a.tar.zst", b"not zstd", id="no zst"),
    ],
)
@pytest.mark.usefixtures("gzip_as_zstd")
def test_what_is_broken_or_breaks_out_leaves_everything_as_it_was(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/old").write_text("old")
    with pytest.raises(GptOssError, match=f"{name} cannot be unpacked"):
        unpacked(content, name, tmp_path)
    assert {*os.listdir(tmp_path)} == {name, "there"}
    assert os.listdir(tmp_path / "there") == ["old"]
    assert not (tmp_path.parent / "evil").exists()


def test_a_newer_release_takes_the_place_of_the_old_whole(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/old").write_text("old")
    assert {*os.listdir(unpacked(gzip.compress(tar(**GOOD)), "a.tgz", tmp_path))} == {"bin", "lib"}


def test_a_python_that_cannot_do_it_safely_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(GptOssError, match="this Python is too old"):
        unpacked(gzip.compress(tar(**GOOD)), "a.tgz", tmp_path)


# The server on this machine


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    "To a port where nobody answers yet, which OLLAMA_HOST names too."
    port = free_port()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    with Client(Server(f"http://127.0.0.1:{port}")) as client:
        yield client


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    "Where a program that is started writes its number: it is ended with the test."
    path = tmp_path / "pid"
    monkeypatch.setenv(PID_FILE, str(path))
    yield path
    end(path)


def test_a_server_is_started_apart_and_waited_for(client: Client, pid_file: Path, tmp_path: Path) -> None:
    assert server.answering(client) is None
    assert server.start(program(tmp_path / "ollama", SCRIPT), client) == "1.2.3"
    assert server.answering(client) == "1.2.3"
    pid = int(pid_file.read_text())
    assert os.getsid(pid) == pid  # Ctrl-C in our terminal is not for it
    assert stat.S_IMODE((server.home() / "ollama.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.home().stat().st_mode) == 0o700


def test_a_server_that_dies_shows_its_last_words(client: Client, tmp_path: Path) -> None:
    dying = program(tmp_path / "ollama", "seq 20; echo 'address already in use' >&2; exit 3")
    with pytest.raises(GptOssError) as failed:
        server.start(dying, client)
    message = str(failed.value)
    assert "stopped at once (exit status 3)" in message
    assert "\n  14\n" in message
    assert "\n  13\n" not in message
    assert "\n  address already in use\n" in message
    assert str(server.home() / "ollama.log") in message


def test_a_server_that_does_not_answer_is_ended(client: Client, pid_file: Path, tmp_path: Path) -> None:
    (server.home() / "ollama.log").write_text("of another time\n")
    deaf = program(tmp_path / "ollama", "echo $$ > $PID_FILE; exec sleep 60")
    with pytest.raises(GptOssError, match=r"does not answer after 0\.3 seconds(?s:.*)\(nothing\)"):
        server.start(deaf, client, patience=0.3)
    assert not alive(pid_file)


def test_ctrl_c_ends_the_server_that_is_starting(client: Client, pid_file: Path, tmp_path: Path) -> None:
    deaf = program(tmp_path / "ollama", "echo $$ > $PID_FILE; exec sleep 60")

    class Interrupted(Client):
        def send(self, call: Any) -> Any:
            while not (pid_file.exists() and pid_file.read_text()):
                time.sleep(0.01)
            raise KeyboardInterrupt

    with Interrupted(Server("http://127.0.0.1:1")) as client, pytest.raises(KeyboardInterrupt):
        server.start(deaf, client)
    assert not alive(pid_file)


def test_a_program_that_cannot_be_run(client: Client, tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match=r"nothing cannot be run: No such file.*ollama\.com"):
        server.start(tmp_path / "nothing", client)


def test_windows_has_its_own_way_to_start_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Popen:
        def __init__(self, command: list[Any], **how: Any) -> None:
            given.update(how)

    monkeypatch.setattr(server.sys, "platform", "win32")
    monkeypatch.setattr(server.subprocess, "DETACHED_PROCESS", 8, raising=False)
    monkeypatch.setattr(server.subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    monkeypatch.setattr(server.subprocess, "Popen", Popen)
    server._serve(tmp_path, io.BytesIO())
    assert given["creationflags"] == 520
    assert "start_new_session" not in given


def test_the_program_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert server.find() is None
    ours = program(server.home() / "ollama/bin/ollama", "")
    assert server.find() == ours
    theirs = program(tmp_path / "path/ollama", "")
    assert server.find() == theirs


@pytest.fixture
def release(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> str:
    "A release for this machine with nothing in it but a program, at the address that is returned."
    content = gzip.compress(tar(**{"bin/ollama": "#!/bin/sh\n"}))
    monkeypatch.setattr(server.platform, "system", lambda: "Linux")
    monkeypatch.setattr(server.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", "")
    web.routes[f"/v/{NAME}"] = Answer(content)
    web.routes["/v/sha256sum.txt"] = Answer(f"{hashlib.sha256(content).hexdigest()}  ./{NAME}\n".encode())
    return f"{web.url}/v"


def test_a_release_becomes_a_program(release: str, seen: list[Progress]) -> None:
    found = server.install(release, seen.append)
    assert found == server.home() / "ollama/bin/ollama" == server.find()
    assert os.listdir(server.home()) == ["ollama"]
    assert list(dict.fromkeys(step.label for step in seen)) == [NAME, f"checking {NAME}", f"unpacking {NAME}"]


def test_an_interrupted_unpacking_is_done_again_without_a_download(
    release: str, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(server, "unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.install(release, lambda _: None)
    web.requests.clear()
    assert server.install(release, lambda _: None) == server.find()
    assert web.requests[-1][1]["Range"].startswith("bytes=")


def test_a_release_without_a_program(release: str, web: WebServer) -> None:
    content = gzip.compress(tar(readme="hello"))
    web.routes[f"/v/{NAME}"] = Answer(content)
    web.routes["/v/sha256sum.txt"] = Answer(f"{hashlib.sha256(content).hexdigest()}  {NAME}\n".encode())
    with pytest.raises(GptOssError, match=f"{NAME} holds no program called ollama"):
        server.install(release, lambda _: None)


# The model


@pytest.fixture
def ollama(web: WebServer) -> Iterator[Client]:
    with Client(Server(web.url)) as client:
        yield client


def layer(done: int | None) -> dict[str, Any]:
    completed = {} if done is None else {"completed": done}
    return {"status": "pulling d21a14b98389", "digest": "sha256:d2", "total": 100, **completed}


START, SUCCESS = {"status": "pulling manifest"}, {"status": "success"}
FETCHED = [Progress("pulling d21a14b98389", 100, 100), Progress("success")]


def test_a_pull_tells_how_far_it_is(ollama: Client, web: WebServer, seen: list[Progress]) -> None:
    web.routes["/api/pull"] = lines(START, layer(None), layer(100), SUCCESS)
    model.fetch(ollama, "tiny", seen.append)
    assert seen == [Progress("pulling manifest"), Progress("pulling d21a14b98389", 0, 100), *FETCHED]
    assert web.bodies == [{"model": "tiny", "stream": True}]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lines(START, layer(40)), id="ends"),
        pytest.param(Answer(lines(START, layer(40), layer(50)).body, cut=150), id="is cut"),
        pytest.param(
            lines(START, layer(40), {"error": "max retries exceeded: unexpected EOF"}), id="gives up"
        ),
    ],
)
def test_a_pull_that_breaks_is_asked_for_again(
    broken: Answer, ollama: Client, web: WebServer, seen: list[Progress], pauses: list[float]
) -> None:
    web.routes["/api/pull"] = [broken, lines(START, layer(40), layer(100), SUCCESS)]
    model.fetch(ollama, "tiny", seen.append, insecure=True)
    assert seen[-2:] == FETCHED
    assert web.bodies == [{"model": "tiny", "stream": True, "insecure": True}] * 2
    assert pauses == [1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lines({"error": "pull model manifest: file does not exist"}), ModelMissing),
        (lines(START), StreamCut),
        (Answer(), EngineError),
    ],
)
def test_a_pull_that_never_begins_is_not(
    answer: Answer, error: type[Exception], ollama: Client, web: WebServer, pauses: list[float]
) -> None:
    web.routes["/api/pull"] = answer
    with pytest.raises(error):
        model.fetch(ollama, "tiny", lambda _: None)
    assert (len(web.requests), pauses) == (1, [])


def test_a_pull_is_refused_within_a_second_where_nobody_answers(client: Client) -> None:
    with pytest.raises(EngineUnreachable):
        model.fetch(client, "tiny", lambda _: None)


def test_a_model_is_found_by_any_spelling(ollama: Client, web: WebServer) -> None:
    web.routes["/api/tags"] = lines({"models": [{"name": "a:latest", "digest": "d", "size": 1}]})
    web.routes["/api/ps"] = lines({"models": [{"name": "b:latest", "size": 2, "size_vram": 1}]})
    assert model.installed(ollama, "a") is not None
    assert model.installed(ollama, "b") is None
    assert model.loaded(ollama, "library/b") is not None
    assert model.loaded(ollama, "a") is None
