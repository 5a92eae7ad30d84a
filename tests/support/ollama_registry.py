"""A registry of models on this machine, to pull a copy of a model from.

`python ollama_registry.py push MODEL TAG` and `python ollama_registry.py delete TAG` send requests to the
Ollama at OLLAMA_HOST. They run in their own process, because VCR would record requests of the test's process.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = "docker-registry"  # from Debian's package of the same name
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{folder}"}}}}
http: {{addr: "{address}"}}
"""


@contextmanager
def serving(folder: Path, address: str, model: str) -> Iterator[None]:
    "Run a registry at this address with a copy of the model. Ollama itself does not keep the copy's tag."
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, address=address))
    with subprocess.Popen([PROGRAM, "serve", config], stderr=subprocess.DEVNULL) as registry:
        try:
            _wait_until_open(address)
            _run("push", model, f"{address}/library/{model}")
            yield
        finally:
            _run("delete", f"{address}/library/{model}")
            registry.terminate()


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, __file__, *arguments], check=True, timeout=120)


def _wait_until_open(address: str) -> None:
    host, port = address.split(":")
    for _ in range(100):
        try:
            socket.create_connection((host, int(port))).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{PROGRAM} does not answer at {address}")


def main(command: str, *names: str) -> None:
    import httpx

    from llm_gpt_oss.settings import Settings

    with httpx.Client(base_url=Settings.from_env().server.url, timeout=100, trust_env=False) as ollama:
        if command == "push":
            model, tag = names
            ollama.post("/api/copy", json={"source": model, "destination": tag}).raise_for_status()
            push = {"model": tag, "insecure": True, "stream": False}
            ollama.post("/api/push", json=push).raise_for_status()
        ollama.request("DELETE", "/api/delete", json={"model": names[-1]})


if __name__ == "__main__":
    main(*sys.argv[1:])
