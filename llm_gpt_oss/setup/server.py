"Ollama on this machine: its program found, installed, started."

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
from .download import download, fetch_checksums, private
from .progress import Progress, Report
from .release import BY_HAND, choose, folder_and_names
from .unpack import unpack

PATIENCE = 30.0  # seconds until a server that was started has to answer
AGAIN = "Put that right and type `llm gpt-oss setup` again."
_TICK = 0.1
_LAST_LINES = 8


def home() -> Path:
    "Where everything lies that setup puts on the machine, for its owner's eyes only."
    user_dir: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    folder = user_dir / "gpt-oss"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def find() -> Path | None:
    "The program `ollama`: the one that its owner would run, else the one that setup installed."
    if there := shutil.which("ollama"):
        return Path(there)
    # In this order: a release for Linux has it in bin, those for macOS and Windows at the top.
    places = [home() / "ollama" / name for name in ("bin/ollama", "ollama", "ollama.exe")]
    return next((place for place in places if place.is_file()), None)


def install(source: str, report: Report) -> Path:
    "Download this machine's file of the release at `source`, check it, unpack it; the program in it."
    folder, wanted = folder_and_names(source, platform.system(), platform.machine())
    archive = choose(folder, wanted, fetch_checksums(folder))
    file = download(archive, home(), report)
    report(Progress(f"unpacking {archive.name}"))
    unpack(file, home() / "ollama")
    file.unlink()
    if (program := find()) is None:
        raise GptOssError(
            f"{archive.name} holds no program called ollama.", remedy="Name another after --from."
        )
    return program


def answering(client: Client) -> str | None:
    "The version of the server, None where nobody answers."
    try:
        return client.send(version())
    except EngineUnreachable:
        return None


def start(program: Path, client: Client, *, patience: float = PATIENCE) -> str:
    """Run `ollama serve` so that it outlives us, and wait until it answers the client; its version.

    It listens where OLLAMA_HOST says, which it reads as we do. If it dies, or has not answered in time, it is
    ended, and the end of its log is the reason.
    """
    log = home() / "ollama.log"
    with open(log, "ab", opener=private) as output:
        began = output.tell()
        process = _serve(program, output)
    try:
        deadline = time.monotonic() + patience
        while (there := answering(client)) is None:
            if process.poll() is not None:
                raise _failed(f"stopped at once (exit status {process.returncode})", log, began)
            if time.monotonic() > deadline:
                raise _failed(f"does not answer after {patience:g} seconds", log, began)
            time.sleep(_TICK)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = 0  # it outlives us: nobody is to complain that nobody waited for it
    return there


def _serve(program: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "cwd": home()}
    try:
        if sys.platform == "win32":
            apart = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            return subprocess.Popen([program, "serve"], **how, creationflags=apart)
        return subprocess.Popen([program, "serve"], **how, start_new_session=True)
    except OSError as problem:
        raise GptOssError(f"{program} cannot be run: {problem.strerror}.", remedy=BY_HAND) from problem


def _failed(what: str, log: Path, began: int) -> GptOssError:
    with log.open("rb") as file:
        file.seek(began)
        lines = file.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
    shown = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return GptOssError(f"`ollama serve` {what}. The end of its log, {log}:\n{shown}\n", remedy=AGAIN)
