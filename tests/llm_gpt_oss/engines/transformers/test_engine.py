from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.engine_prompts import complete, done, first_item, model, text
from support.hugging_face import write_placeholder
from support.parrot import Parrot

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.local import memory
from llm_gpt_oss.engines.local.model_pool import ModelPool
from llm_gpt_oss.engines.transformers import engine as transformers_engine
from llm_gpt_oss.engines.transformers import loaded_models as transformers_pool
from llm_gpt_oss.engines.transformers import model_thread
from llm_gpt_oss.engines.transformers import provider as transformers_provider
from llm_gpt_oss.engines.transformers.engine import AsyncTransformersEngine, ModelSource, TransformersEngine
from llm_gpt_oss.engines.transformers.model_thread import ModelThread
from llm_gpt_oss.engines.transformers.provider import TransformersProvider
from llm_gpt_oss.errors import BadRequest, EngineError, GptOssError, NotGptOss, OutOfMemory

PROVIDER = TransformersProvider()
ANSWER = "x" * 50 + "<|return|>"


class OutOfMemoryError(RuntimeError):
    "An error with the name of torch's."


class Machine:
    "Loads a parrot instead of a model in torch, when `go` is set, and reports the memory of GPUs."

    def __init__(self) -> None:
        self.parrot = Parrot({"prompt": ANSWER, "other": "y<|return|>"})
        self.error: Exception | None = None
        self.packed, self.gpu_memory = False, 0
        self.loads = 0
        self.go = threading.Event()
        self.go.set()

    def load(self, folder: Any) -> Parrot:
        self.loads += 1
        assert self.go.wait(5)
        if self.error:
            raise self.error
        return self.parrot


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    here = Machine()
    module = ModuleType("torch_model")
    vars(module).update(
        TorchModel=here.load, supports_mxfp4=lambda: here.packed, free_gpu_memory=lambda: here.gpu_memory
    )
    monkeypatch.setitem(sys.modules, "llm_gpt_oss.engines.transformers.torch_model", module)
    monkeypatch.setattr(model_thread, "find_spec", lambda name: True)
    monkeypatch.setattr(transformers_provider, "_version", lambda: "torch 2, transformers 5")
    return here


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelPool[Any, Any, ModelThread]]:
    models = ModelPool(ModelThread)
    for module in (transformers_engine, transformers_pool):
        monkeypatch.setattr(module, "pool", lambda: models)
    yield models
    models.close()


@pytest.fixture
def tiny(tmp_path: Path) -> BoundModel:
    return model("transformers", weights=str(write_placeholder(tmp_path / "tiny")))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def request(prompt: str = "prompt", **options: Any) -> Completion:
    return Completion("tiny", prompt, **options)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.002)


def test_first_completion_reports_the_load_time(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    items = complete(PROVIDER, tiny, request(), request("other"), awaited=awaited)
    first, second = [item for item in items if isinstance(item, Done)]
    assert text(items) == "x" * 50 + "y"
    assert (first.reason, first.prompt_tokens, first.completion_tokens) == ("stop", 6, 51)
    assert first.load_ms is not None
    assert second.load_ms is None
    assert machine.loads == 1
    assert len(machine.parrot.threads) == 1, "a model is used by one thread only"


def test_exceptions_become_engine_errors(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    machine.parrot.error = ValueError("bang.\nmore")
    with pytest.raises(EngineError, match=r"^Transformers failed: bang\.$"):
        complete(PROVIDER, tiny, request(), awaited=awaited)
    machine.parrot.error = OutOfMemoryError("CUDA out of memory")
    with pytest.raises(OutOfMemory, match=r"CUDA out of memory\. Type a smaller `-o num_ctx`"):
        complete(PROVIDER, tiny, request(), awaited=awaited)
    with pytest.raises(BadRequest, match="-o num_ctx"):
        complete(PROVIDER, tiny, request(context_length=6), awaited=awaited)
    machine.parrot.error = None
    assert done(complete(PROVIDER, tiny, request(), awaited=awaited)).reason == "stop"


def test_limit_of_zero_tokens_is_refused(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    with pytest.raises(BadRequest, match="An answer cannot have a limit of 0 tokens"):
        complete(PROVIDER, tiny, request(max_tokens=0), awaited=awaited)
    assert machine.loads == 0


def test_closing_a_completion_stops_the_work(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    assert first_item(PROVIDER, tiny, request(), awaited=awaited) == Piece("x")
    assert machine.parrot.evaluated == [6]
    machine.parrot.evaluated.clear()
    complete(PROVIDER, tiny, request(), awaited=awaited)
    assert machine.parrot.evaluated[0] == 1, "the prompt is cached"


@pytest.fixture
def interruptible() -> Iterator[None]:
    "Restore the default for SIGINT, which shells ignore for processes in the background."
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stops_at_once(machine: Machine, tiny: BoundModel) -> None:
    "Although a step is running that cannot be interrupted."
    with TransformersEngine(tiny) as engine:
        items = engine.complete(request())
        next(items)
        machine.parrot.go.clear()
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            next(items)
        assert time.perf_counter() - began < 2
        machine.parrot.go.set()
    assert text(complete(PROVIDER, tiny, request("other"), awaited=False)) == "y"
    assert len(machine.parrot.evaluated) < 10


def test_cancelled_completion_stops_at_once(machine: Machine, tiny: BoundModel) -> None:
    async def cancel() -> None:
        async with aclosing(AsyncTransformersEngine(tiny).complete(request())) as items:
            await anext(items)
            machine.parrot.go.clear()
            pending = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0.05)
            pending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pending
        machine.parrot.go.set()

    asyncio.run(asyncio.wait_for(cancel(), 5))
    complete(PROVIDER, tiny, request("other"), awaited=True)
    assert len(machine.parrot.evaluated) < 10


def test_completions_take_turns(machine: Machine, tiny: BoundModel) -> None:
    async def both() -> tuple[object, str]:
        engine = AsyncTransformersEngine(tiny)
        async with aclosing(engine.complete(request())) as first:
            await anext(first)
            other = await anext(engine.complete(request("other")))
            rest = [item.text async for item in first if isinstance(item, Piece)]
        return other, "".join(rest)

    other, rest = asyncio.run(asyncio.wait_for(both(), 5))
    assert other == Piece("y"), "it does not wait for the end of the first"
    assert rest == "x" * 49


def test_completion_within_a_completion(machine: Machine, tiny: BoundModel) -> None:
    with TransformersEngine(tiny) as engine:
        items = engine.complete(request())
        next(items)
        assert text(list(engine.complete(request("other")))) == "y"
        assert text(list(items)) == "x" * 49


def test_keep_alive(
    machine: Machine, tiny: BoundModel, pool: ModelPool[Any, Any, ModelThread], awaited: bool
) -> None:
    path = str(tiny.engine_options["weights"])
    complete(PROVIDER, tiny, request(), awaited=awaited)
    assert PROVIDER.model_status(tiny, None).loaded
    complete(PROVIDER, tiny, request(keep_alive=0), awaited=awaited)
    wait_until(lambda: pool.find_loaded(path) is None)
    complete(PROVIDER, tiny, request(), awaited=awaited)
    assert machine.loads == 2


def test_cancelled_caller_leaves_the_loaded_model_to_the_next(machine: Machine, tiny: BoundModel) -> None:
    async def cancel() -> None:
        machine.go.clear()
        task = asyncio.ensure_future(anext(AsyncTransformersEngine(tiny).complete(request())))
        await asyncio.to_thread(wait_until, lambda: machine.loads == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        machine.go.set()

    asyncio.run(asyncio.wait_for(cancel(), 5))
    assert text(complete(PROVIDER, tiny, request("other"), awaited=True)) == "y"
    assert machine.loads == 1


def test_stop_waits_for_the_current_step(machine: Machine, tiny: BoundModel) -> None:
    "The steps are closed in the thread of the model, after the step that is running."
    thread = ModelThread(ModelSource(tiny).folder, 100)
    steps = thread.start(request(), 100)
    machine.parrot.go.clear()
    running = thread.step(steps)
    thread.stop(steps)
    machine.parrot.go.set()
    assert running.result() is None
    thread.close()
    assert steps.gi_frame is None


def test_stop_while_the_program_ends(machine: Machine, tiny: BoundModel) -> None:
    thread = ModelThread(ModelSource(tiny).folder, 100)
    steps = thread.start(request(), 100)
    thread.step(steps).result()
    thread._executor.shutdown()
    thread.stop(steps)
    assert steps.gi_frame is not None, "only the thread of the model may close the steps"


@pytest.mark.parametrize(
    ("problem", "error", "message"),
    [
        (OSError("no file\nof that name"), EngineError, "cannot load .*: no file. Use another folder, or"),
        (NotGptOss("no gpt-oss"), NotGptOss, "no gpt-oss"),
        (RuntimeError(), EngineError, "RuntimeError"),
    ],
)
def test_model_that_cannot_be_loaded(
    machine: Machine, tiny: BoundModel, awaited: bool, problem: Exception, error: Any, message: str
) -> None:
    machine.error = problem
    with pytest.raises(error, match=message):
        complete(PROVIDER, tiny, request(), awaited=awaited)


def test_torch_that_cannot_be_imported(
    tiny: BoundModel, awaited: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "llm_gpt_oss.engines.transformers.torch_model"
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so cannot be opened')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in (module, "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(model_thread, "find_spec", lambda name: True)
    with pytest.raises(EngineError, match=r"Transformers cannot load .*: libcudart\.so cannot be opened\. "):
        complete(PROVIDER, tiny, request(), awaited=awaited)


@pytest.mark.parametrize("missing", ["torch", "transformers", "accelerate", "llguidance"])
def test_error_names_a_missing_package(
    tiny: BoundModel, awaited: bool, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_thread, "find_spec", lambda name: None if name == missing else True)
    with pytest.raises(
        EngineError, match=rf"needs {missing}, .* `llm install 'llm-gpt-oss\[transformers\]'`"
    ):
        complete(PROVIDER, tiny, request(), awaited=awaited)


@pytest.mark.parametrize(
    ("free", "packed", "gpu", "fits"),
    [(2.0, False, 0, False), (2.0, False, 2.0, True), (2.0, True, 0, True), (0.5, True, 0.1, False)],
)
def test_model_that_would_not_fit_is_not_loaded(
    tmp_path: Path,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    packed: bool,
    gpu: float,
    fits: bool,
) -> None:
    quantized = {"quantization_config": {"quant_method": "mxfp4"}, "max_position_embeddings": 100}
    big = write_placeholder(tmp_path / "big", intermediate_size=65536, num_local_experts=5, **quantized)
    monkeypatch.setattr(memory, "available_memory", lambda: int(free * 1e9))
    machine.packed, machine.gpu_memory = packed, int(gpu * 1e9)
    big_model = model("transformers", weights=str(big))
    folder = ModelSource(big_model).folder
    assert (round(folder.required_memory(100, False) / 1e9, 1), folder.required_memory(100, True)) == (
        3.0,
        1002 + 819200,
    )
    if fits or packed:
        assert done(complete(PROVIDER, big_model, request(), awaited=False)).reason == "stop"
        return
    with pytest.raises(
        EngineError, match=r"about 3.0 GB of memory .* because MXFP4 has to be unpacked, and 2.0"
    ):
        complete(PROVIDER, big_model, request(), awaited=False)
    assert machine.loads == 0


def test_unknown_free_memory_is_not_checked(
    machine: Machine, tiny: BoundModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert done(complete(PROVIDER, tiny, request(), awaited=False)).reason == "stop"
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    machine.gpu_memory = 500
    with pytest.raises(EngineError, match=r"0.0 GB are free and 0.0 GB on the GPU"):
        ModelThread(ModelSource(tiny).folder, 100)


def test_context_is_limited_to_the_trained_one(tiny: BoundModel) -> None:
    source = ModelSource(tiny)
    assert source.context_length(None) == 16384
    assert source.context_length(10**6) == 131072


def test_summary(tiny: BoundModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_provider, "_version", lambda: "torch 2")
    assert PROVIDER.summary(tiny.settings, []) == "torch 2; no model for it"
    assert PROVIDER.summary(tiny.settings, [tiny]) == f"torch 2; tiny from {tiny.engine_options['weights']}"
    monkeypatch.setattr(transformers_provider, "_version", lambda: None)
    assert PROVIDER.summary(tiny.settings, []).startswith("torch or transformers is not installed; ")


def test_model_status(tiny: BoundModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_provider, "_version", lambda: "torch 2")
    status = PROVIDER.model_status(tiny, None)
    assert (status.address, status.version, status.size) == (tiny.engine_options["weights"], "torch 2", 1002)
    assert (status.installed, status.loaded, status.problem) == (True, False, None)
    assert (status.context_length, status.trained_context, status.vocabulary) == (16384, 131072, 2048)
    assert (status.context_with(4096), status.context_with(10**6)) == (4096, 131072)
    write_placeholder(Path(str(tiny.engine_options["weights"])), model_type="llama")
    assert "only gpt-oss reads harmony" in str(PROVIDER.model_status(tiny, None).problem)
    with pytest.raises(GptOssError, match="only gpt-oss reads harmony"):
        PROVIDER.check(tiny)
    status = PROVIDER.model_status(model("transformers"), None)
    assert (status.address, status.installed) == ("no folder", False)
    write_placeholder(Path(str(tiny.engine_options["weights"])))
    monkeypatch.setattr(transformers_provider, "_version", lambda: None)
    assert "llm install 'llm-gpt-oss[transformers]'" in str(PROVIDER.model_status(tiny, None).problem)


@pytest.mark.parametrize(
    ("installed", "version"),
    [
        ({"triton", "kernels"}, "torch 2"),
        ({"triton"}, "torch 2, MXFP4 unpacked to 16 bits: kernels is not installed"),
        (set(), "torch 2, MXFP4 unpacked to 16 bits: triton is not installed"),
    ],
)
def test_status_says_when_weights_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: set[str], version: str
) -> None:
    monkeypatch.setattr(transformers_provider, "_version", lambda: "torch 2")
    monkeypatch.setattr(transformers_provider, "find_spec", lambda name: True if name in installed else None)
    packed = write_placeholder(tmp_path, quantization_config={"quant_method": "mxfp4"})
    assert PROVIDER.model_status(model("transformers", weights=str(packed)), None).version == version


def test_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert transformers_provider._version() is None
    for name, number in (("torch", 9), ("transformers", 8)):
        (tmp_path / f"{name}-{number}.dist-info").mkdir()
        (tmp_path / f"{name}-{number}.dist-info" / "METADATA").write_text(
            f"Name: {name}\nVersion: {number}\n"
        )
    assert transformers_provider._version() == "torch 9, transformers 8"
