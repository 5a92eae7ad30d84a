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
from support.gguf_files import renamed

from llm_gpt_oss.engines.embedded import host, process
from llm_gpt_oss.engines.embedded.gguf import GgufHeader, read_header
from llm_gpt_oss.engines.embedded.process import LoadOptions, ModelProcess
from llm_gpt_oss.engines.local import memory
from llm_gpt_oss.errors import EngineError

HEAD = read_header(tiny.FILE)


@pytest.fixture
def loaded() -> Any:
    model = ModelProcess(tiny.LOAD, HEAD)
    yield model
    model.close()


@tiny.needs_xllamacpp
def test_it_listens_here_and_wants_its_key(loaded: ModelProcess) -> None:
    url = loaded.server.url
    assert url.startswith("http://127.0.0.1:")
    headers = dict(loaded.server.headers)
    assert httpx.get(f"{url}/props", headers=headers, trust_env=False).json()["total_slots"] == process.SLOTS
    assert httpx.get(f"{url}/props", trust_env=False).status_code == 401
    assert loaded.alive
    loaded.close()
    assert not loaded.alive


@tiny.needs_xllamacpp
def test_a_file_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    renamed(tiny.FILE, file, "gpt-ass")
    with pytest.raises(EngineError, match=r"cannot load .*unknown model architecture: 'gpt-ass'"):
        ModelProcess(replace(tiny.LOAD, path=str(file)), HEAD)


@tiny.needs_xllamacpp
def test_what_would_not_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 5_000_000)
    with pytest.raises(
        EngineError, match=r"needs about 0\.0 GB of memory with a context of 4096 .* are free\."
    ):
        ModelProcess(tiny.LOAD, HEAD)


def test_where_nothing_says_how_much_is_free_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    told: list[Any] = []
    monkeypatch.setattr(process, "_say", lambda _, request: told.append(request))
    monkeypatch.setattr(process, "_heard", lambda _: {"url": "http://127.0.0.1:1"})
    ModelProcess(tiny.LOAD, GgufHeader("gpt-oss", 10**15)).close()
    assert (told[0]["needed"], told[0]["gpu_layers"]) == (None, 0)


@pytest.mark.parametrize(
    ("code", "why"),
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
def test_a_host_that_dies(code: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "host.py"
    script.write_text(code)
    monkeypatch.setattr(process, "HOST", script)
    with pytest.raises(EngineError, match=why):
        ModelProcess(tiny.LOAD, HEAD)


def test_ctrl_c_while_it_loads_leaves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[str]] = []

    def heard(started: subprocess.Popen[str]) -> Any:
        begun.append(started)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_heard", heard)
    with pytest.raises(KeyboardInterrupt):
        ModelProcess(tiny.LOAD, HEAD)
    assert begun[0].poll() is not None


def gone(url: str) -> bool:
    "Whether nobody answers there any more, before long."
    for _ in range(200):
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            return True
    return False


@tiny.needs_xllamacpp
def test_it_ends_with_the_program_that_started_it() -> None:
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
    assert gone(f"{done.stdout.strip()}/health")


# The host, in this process, with what it runs on scripted.


class Xllamacpp(types.ModuleType):
    "What the host uses of it."

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


def asked(monkeypatch: pytest.MonkeyPatch, server: Any, **more: Any) -> tuple[Any, Any]:
    monkeypatch.setitem(sys.modules, "xllamacpp", Xllamacpp(server))
    told = {**LoadOptions("x", 8, threads=3, gpu_layers=2).host_request("key", None, None), **more}
    out = io.StringIO()
    kept = host.serve(told, out)
    return kept, json.loads(out.getvalue())


class Listening:
    listening_address = "http://127.0.0.1:9"

    def __init__(self, params: Any) -> None:
        self.params = params


def test_the_host_loads_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, said = asked(monkeypatch, Listening)
    assert said == {"url": "http://127.0.0.1:9"}
    params = kept.params
    assert (params.model.path, params.n_ctx, params.api_keys) == ("x", 8, ["key"])
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads, params.n_gpu_layers) == (3, 3, 2)
    kept, _ = asked(monkeypatch, Listening, threads=None)
    assert vars(kept.params.cpuparams) == {}


@pytest.mark.parametrize(
    ("needed", "layers", "said"),
    [
        (1000, 2, {"url": "http://127.0.0.1:9"}),
        (1600, 2, {"short": True, "graphics": 500}),
        (1000, 0, {"short": True, "graphics": 0}),
    ],
)
def test_the_host_counts_the_memory_of_the_gpu(
    needed: int, layers: int, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(monkeypatch, Listening, needed=needed, available=600, gpu_layers=layers)[1] == said


def test_the_host_says_that_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(params: Any) -> None:
        raise RuntimeError("bang")

    assert asked(monkeypatch, failing) == (None, {"failed": "bang"})


def test_the_memory_of_the_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_heard", lambda _: {"short": True, "graphics": 2 * 10**9})
    with pytest.raises(EngineError, match=r"are free and 2\.0 GB on the GPU\."):
        ModelProcess(tiny.LOAD, HEAD)


def test_the_host_ends_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(sys, "path", ["folder", *sys.path])
    for server in (Listening, None):
        monkeypatch.setattr(sys, "stdin", io.StringIO("{}\n"))
        monkeypatch.setattr(host, "serve", lambda told, out, server=server: server)
        host.main()
    assert ended == [0, 0]
