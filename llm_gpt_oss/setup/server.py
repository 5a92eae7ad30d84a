"Finds, installs and starts Ollama on this machine."

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import llm

from ..engines.http.client import Client
from ..engines.ollama.requests import version
from ..errors import EngineUnreachable, GptOssError
from .download import download, fetch_checksums, open_private
from .progress import Progress, Report
from .release import MANUAL_INSTALL, choose_archive, folder_and_names
from .unpack import unpack

START_TIMEOUT = 30.0  # seconds until the server must answer
_POLL_INTERVAL = 0.1
_LOG_LINES = 8


def setup_folder() -> Path:
    "The folder for all files that setup puts on this machine. Only the user can read it."
    user_dir: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    folder = user_dir / "gpt-oss"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def find_program() -> Path | None:
    "The program `ollama`: the one on the PATH, or else the one that setup installed."
    if path := shutil.which("ollama"):
        return Path(path)
    # Releases for Linux have it in bin, those for macOS and Windows at the top.
    paths = [setup_folder() / "ollama" / name for name in ("bin/ollama", "ollama", "ollama.exe")]
    return next((path for path in paths if path.is_file()), None)


def install(source: str, report: Report) -> Path:
    "Download, verify and unpack this machine's file of the release at the URL `source`. Return the program."
    folder, names = folder_and_names(source, platform.system(), platform.machine())
    archive = choose_archive(folder, names, fetch_checksums(folder))
    file = download(archive, setup_folder(), report)
    report(Progress(f"unpacking {archive.name}"))
    unpack(file, setup_folder() / "ollama")
    file.unlink()
    if (program := find_program()) is None:
        raise GptOssError(
            f"{archive.name} does not contain a program called ollama.",
            remedy="Name another source after --from.",
        )
    return program


def server_version(client: Client) -> str | None:
    "The version of the server, or None if it does not answer."
    try:
        return client.send(version())
    except EngineUnreachable:
        return None


def start_server(program: Path, client: Client, *, timeout: float = START_TIMEOUT) -> str:
    """Run `ollama serve` so that it outlives this process, wait until it answers, and return its version.

    The server reads OLLAMA_HOST itself. If it exits, or does not answer before the timeout, it is killed, and
    the error contains the end of its log.
    """
    log = setup_folder() / "ollama.log"
    with open(log, "ab", opener=open_private) as output:
        log_start = output.tell()
        process = _run_server(program, output)
    try:
        deadline = time.monotonic() + timeout
        while (answer := server_version(client)) is None:
            if process.poll() is not None:
                raise _start_error(f"exited immediately (exit status {process.returncode})", log, log_start)
            if time.monotonic() > deadline:
                raise _start_error(f"does not answer after {timeout:g} seconds", log, log_start)
            time.sleep(_POLL_INTERVAL)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = 0  # keeps Popen from warning that the process still runs
    return answer


def _run_server(program: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    "Start the server detached from this terminal, so that Ctrl-C does not reach it."
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": output,
        "stderr": output,
        "cwd": setup_folder(),
    }
    try:
        if sys.platform == "win32":
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            return subprocess.Popen([program, "serve"], **options, creationflags=flags)
        return subprocess.Popen([program, "serve"], **options, start_new_session=True)
    except OSError as problem:
        raise GptOssError(f"{program} cannot be run: {problem.strerror}.", remedy=MANUAL_INSTALL) from problem


def _start_error(problem: str, log: Path, log_start: int) -> GptOssError:
    "The error with the last lines that this start wrote to the log, from byte `log_start` on."
    with log.open("rb") as file:
        file.seek(log_start)
        lines = file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
    text = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return GptOssError(
        f"`ollama serve` {problem}. The end of its log, {log}:\n{text}\n",
        remedy="Fix that, and type `llm gpt-oss setup` again.",
    )
