"Runs the program of a client for one case."

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support.clients.server import Recorded, Served
from support.clients.table import CASES


def run_program(
    command: list[str], case: str, server: Served, *, folder: Path, log: Path, seconds: float
) -> str:
    """Return what the program prints, or an empty text if it fails.

    It runs in `folder`, with `folder/home` as its home, and knows nothing of the caller's settings. What it
    prints on standard error goes to `log`.
    """
    (folder / "home").mkdir(parents=True, exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "JAVA_HOME")},
        "HOME": str(folder / "home"),
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "OPENAI_API_BASE": f"{server.url}/v1",
        "OPENAI_API_KEY": "any",
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "any",
        "DO_NOT_TRACK": "1",
    }
    with log.open("w") as errors:
        try:
            result = subprocess.run(
                [*command, case],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            errors.write(f"\nnot finished after {seconds} s\n")
            return ""
    return result.stdout if result.returncode == 0 else ""


def has_passed(case: str, output: str, requests: list[Recorded]) -> bool:
    """Whether the program printed the answer and every request got one.

    The case `stream` needs a stream. Requests without a body are probes: clients live with errors there.
    """
    answers = [request for request in requests if request.body]
    streamed = any(b"data:" in request.answer for request in answers)
    return (
        CASES[case] in output
        and all(request.status == 200 for request in answers)
        and (streamed or case != "stream")
    )
