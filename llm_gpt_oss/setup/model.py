"Downloads a model with Ollama, and finds models on its disk and in its memory."

from __future__ import annotations

from collections.abc import Iterator

from ..engines.http.client import Client
from ..engines.ollama.answers import PullStatus
from ..engines.ollama.model_status import check_family, find_installed
from ..engines.ollama.requests import pull
from ..errors import EngineError, StreamCut
from .progress import Progress, Report, run_with_retries

__all__ = ["check_family", "find_installed", "pull_model"]


def pull_model(client: Client, tag: str, report: Report, *, insecure: bool = False) -> None:
    "Download the model. After an interruption, Ollama resumes the download when it is requested again."

    def attempt() -> Iterator[Progress]:
        line = None
        for line in client.stream(pull(tag, insecure=insecure)):
            yield _progress(line)
        if line is None or line.status != "success":
            raise StreamCut(
                f"Ollama stopped pulling {tag} before the end.", remedy="Run the same command again."
            )

    # Retry after any error: Ollama reports its connection problems with the registry as errors too.
    run_with_retries(attempt, report, interruption=EngineError)


def _progress(line: PullStatus) -> Progress:
    return Progress(line.status, line.completed or 0 if line.total else None, line.total)
