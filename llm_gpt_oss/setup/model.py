"The model: there, in memory, answering."

from __future__ import annotations

from collections.abc import Iterator

from ..engines.ollama.client import Client, ModelInfo, PullStatus, Running, ps, pull, tags
from ..engines.ollama.engine import harmonic, speaks_harmony
from ..errors import EngineError, StreamCut
from ..tags import same
from .progress import Progress, Report, persist


def installed(client: Client, tag: str) -> ModelInfo | None:
    "The model on the server's disk."
    return next((model for model in client.send(tags()) if same(model.name, tag)), None)


def loaded(client: Client, tag: str) -> Running | None:
    "The model in the server's memory."
    return next((model for model in client.send(ps()) if same(model.name, tag)), None)


def check_family(client: Client, tag: str) -> None:
    "NotGptOss if the model, which has to be there, is of another family."
    if not speaks_harmony(tag, set()):
        client.send(harmonic(tag))


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
