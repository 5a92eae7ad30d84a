"The model: there, in memory, answering."

from __future__ import annotations

from collections.abc import Iterator

from ..engines.http.client import Client
from ..engines.ollama.answers import PullStatus
from ..engines.ollama.model_status import check_family, find_installed, find_running
from ..engines.ollama.requests import pull
from ..errors import EngineError, StreamCut
from .progress import Progress, Report, persist

__all__ = ["check_family", "fetch", "find_installed", "find_running"]


def fetch(client: Client, tag: str, report: Report, *, insecure: bool = False) -> None:
    "Pull the model. Ollama goes on where a pull was cut, so asking again is all that it takes."

    def attempt() -> Iterator[Progress]:
        line = None
        for line in client.stream(pull(tag, insecure=insecure)):
            yield _progress(line)
        if line is None or line.status != "success":
            raise StreamCut(f"Ollama stopped pulling {tag} before the end.", remedy="Type the same again.")

    # Any error: Ollama also reports its own trouble with the registry as an error of the stream.
    persist(attempt, report, interruption=EngineError)


def _progress(line: PullStatus) -> Progress:
    return Progress(line.status, line.completed or 0 if line.total else None, line.total)
