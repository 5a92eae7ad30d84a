from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import tiny
from support.gguf_files import write_with_architecture

from llm_gpt_oss.engines.embedded import host, process
from llm_gpt_oss.engines.embedded.gguf import read_header
from llm_gpt_oss.engines.embedded.process import LoadOptions, ModelProcess
from llm_gpt_oss.engines.gguf_header import GgufHeader
from llm_gpt_oss.engines.local import memory
from llm_gpt_oss.errors import EngineError

HEADER = read_header(tiny.FILE)


@pytest.fixture
def model() -> Any:
    model = ModelProcess(tiny.LOAD, HEADER)
    yield model
    model.close()


@tiny.needs_xllamacpp
def test_server_is_local_and_requires_its_key(model: ModelProcess) -> None:
    url = model.server.url
    assert url.startswith("http://127.0.0.1:")
    headers = dict(model.server.headers)
    assert httpx.get(f"{url}/props", headers=headers, trust_env=False).json()["total_slots"] == process.SLOTS
    assert httpx.get(f"{url}/props", trust_env=False).status_code == 401
    assert model.alive
    model.close()
    assert not model.alive


@tiny.needs_xllamacpp
def test_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    write_with_architecture(tiny.FILE, file, "gpt-ass")
    with pytest.raises(EngineError, match=r"cannot load .*unknown model architecture: 'gpt-ass'"):
        ModelProcess(replace(tiny.LOAD, path=str(file)), HEADER)


@tiny.needs_xllamacpp
def test_model_that_would_not_fit_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 5_000_000)
    with pytest.raises(
        EngineError, match=r"needs about 0\.0 GB of memory with a context of 4096 .* are free\."
    ):
        ModelProcess(tiny.LOAD, HEADER)


def test_unknown_free_memory_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    requests: list[Any] = []
    monkeypatch.setattr(process, "_send", lambda _, request: requests.append(request))
    monkeypatch.setattr(process, "_receive", lambda _: {"url": "http://127.0.0.1:1"})
    ModelProcess(tiny.LOAD, GgufHeader("gpt-oss", 10**15)).close()
    assert (requests[0]["required_memory"], requests[0]["gpu_layers"]) == (None, 0)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import sys; sys.exit('ModuleNotFoundError: No module named xllamacpp')",
            "No module named xllamacpp",
        ),
        ("import os; os.abort()", "it does not say why"),
        ("print('half a li', end='')", "it does not say why"),
    ],
    ids=["not installed", "aborted", "cut"],
)
def test_host_that_ends_early(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "host.py"
    script.write_text(code)
    monkeypatch.setattr(process, "HOST", script)
    with pytest.raises(EngineError, match=reason):
        ModelProcess(tiny.LOAD, HEADER)


def test_ctrl_c_during_loading_ends_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[subprocess.Popen[str]] = []

    def receive(started: subprocess.Popen[str]) -> Any:
        hosts.append(started)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_receive", receive)
    with pytest.raises(KeyboardInterrupt):
        ModelProcess(tiny.LOAD, HEADER)
    assert hosts[0].poll() is not None


def is_gone(url: str) -> bool:
    "Whether the server stops answering within a few seconds."
    for _ in range(200):
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            return True
    return False


@tiny.needs_xllamacpp
def test_host_ends_with_the_program_that_started_it() -> None:
    code = f"""
from llm_gpt_oss.engines.embedded.gguf import read_head
from llm_gpt_oss.engines.embedded.process import Load, Loaded
from pathlib import Path
import os
model = Loaded(Load({str(tiny.FILE)!r}, 512, 1, 0), read_head(Path({str(tiny.FILE)!r})))
print(model.server.url, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert is_gone(f"{done.stdout.strip()}/health")


# host.py in this process, with a scripted xllamacpp.


class FakeXllamacpp(types.ModuleType):
    "The parts of xllamacpp that the host uses."

    ggml_backend_dev_type = types.SimpleNamespace(GGML_BACKEND_DEVICE_TYPE_CPU=0)

    def __init__(self, server: Any) -> None:
        super().__init__("xllamacpp")
        self.Server = server

    class CommonParams:
        def __init__(self) -> None:
            self.model, self.sampling = types.SimpleNamespace(), types.SimpleNamespace()
            self.cpuparams, self.cpuparams_batch = types.SimpleNamespace(), types.SimpleNamespace()

    @staticmethod
    def get_device_info() -> list[dict[str, int]]:
        return [{"type": 0, "memory_free": 10**12}, {"type": 1, "memory_free": 500}]


def serve(monkeypatch: pytest.MonkeyPatch, server: Any, **changes: Any) -> tuple[Any, Any]:
    "What `host.serve` returns, and its response."
    monkeypatch.setitem(sys.modules, "xllamacpp", FakeXllamacpp(server))
    options = LoadOptions("x", 8, threads=3, gpu_layers=2)
    request = {**options.host_request("key", None, None), **changes}
    out = io.StringIO()
    returned = host.serve(request, out)
    return returned, json.loads(out.getvalue())


class FakeServer:
    listening_address = "http://127.0.0.1:9"

    def __init__(self, params: Any) -> None:
        self.params = params


def test_host_applies_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    server, response = serve(monkeypatch, FakeServer)
    assert response == {"url": "http://127.0.0.1:9"}
    params = server.params
    assert (params.model.path, params.n_ctx, params.api_keys) == ("x", 8, ["key"])
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads, params.n_gpu_layers) == (3, 3, 2)
    server, _ = serve(monkeypatch, FakeServer, threads=None)
    assert vars(server.params.cpuparams) == {}


@pytest.mark.parametrize(
    ("required", "gpu_layers", "response"),
    [
        (1000, 2, {"url": "http://127.0.0.1:9"}),
        (1600, 2, {"free_gpu_memory": 500}),
        (1000, 0, {"free_gpu_memory": 0}),
    ],
)
def test_host_counts_free_gpu_memory(
    required: int, gpu_layers: int, response: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = {"required_memory": required, "available_memory": 600}
    assert serve(monkeypatch, FakeServer, **memory, gpu_layers=gpu_layers)[1] == response


def test_host_reports_an_error_of_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(params: Any) -> None:
        raise RuntimeError("bang")

    assert serve(monkeypatch, fail) == (None, {"error": "bang"})


def test_error_names_free_gpu_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_receive", lambda _: {"free_gpu_memory": 2 * 10**9})
    monkeypatch.setattr(process, "EXIT_TIMEOUT", 0.1)
    with pytest.raises(EngineError, match=r"are free and 2\.0 GB on the GPU\."):
        ModelProcess(tiny.LOAD, HEADER)


def test_host_ends_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(sys, "path", ["folder", *sys.path])
    for server in (FakeServer, None):
        monkeypatch.setattr(sys, "stdin", io.StringIO("{}\n"))
        monkeypatch.setattr(host, "serve", lambda request, out, server=server: server)
        host.main()
    assert exits == [0, 0]
