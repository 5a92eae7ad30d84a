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
from support.engine_prompts import done, left, model, said, text
from support.hugging_face import bare
from support.parrot import Parrot

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.local import memory
from llm_gpt_oss.engines.local.model_pool import ModelPool
from llm_gpt_oss.engines.transformers import engine as transformers_engine
from llm_gpt_oss.engines.transformers import loaded_models as process_pool
from llm_gpt_oss.engines.transformers import model_thread as transformers_loaded
from llm_gpt_oss.engines.transformers import provider as transformers_kind
from llm_gpt_oss.engines.transformers.engine import AsyncTransformersEngine, TransformersEngine, ModelSource
from llm_gpt_oss.engines.transformers.model_thread import ModelThread
from llm_gpt_oss.engines.transformers.provider import TransformersProvider
from llm_gpt_oss.errors import BadRequest, EngineError, GptOssError, NotGptOss

KIND = TransformersProvider()
ANSWER = "x" * 50 + "<|return|>"


class OutOfMemoryError(RuntimeError):
    "As torch calls it."


class Machine:
    "What is loaded here, and how much room there is."

    def __init__(self) -> None:
        self.parrot = Parrot({"prompt": ANSWER, "other": "y<|return|>"})
        self.error: Exception | None = None
        self.packed, self.graphics = False, 0
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
    "With a parrot in the place of what needs torch."
    here = Machine()
    module = ModuleType("torch_model")
    vars(module).update(
        TorchModel=here.load, stays_packed=lambda: here.packed, free_on_gpu=lambda: here.graphics
    )
    monkeypatch.setitem(sys.modules, "llm_gpt_oss.engines.transformers.torch_model", module)
    monkeypatch.setattr(transformers_loaded, "find_spec", lambda name: True)
    monkeypatch.setattr(transformers_kind, "_version", lambda: "torch 2, transformers 5")
    return here


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelPool[Any, Any, ModelThread]]:
    ours = ModelPool(ModelThread)
    for module in (transformers_engine, process_pool):
        monkeypatch.setattr(module, "pool", lambda: ours)
    yield ours
    ours.close()


@pytest.fixture
def tiny(tmp_path: Path) -> BoundModel:
    return model("transformers", weights=str(bare(tmp_path / "tiny")))


@pytest.fixture(params=[False, True], ids=["waited for", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def asked(prompt: str = "prompt", **more: Any) -> Completion:
    return Completion("tiny", prompt, **more)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, "that never came"
        time.sleep(0.002)


def test_it_is_loaded_for_the_first_one(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    items = said(KIND, tiny, asked(), asked("other"), awaited=awaited)
    first, second = [item for item in items if isinstance(item, Done)]
    assert text(items) == "x" * 50 + "y"
    assert (first.reason, first.prompt_tokens, first.completion_tokens) == ("stop", 6, 51)
    assert first.load_ms is not None
    assert second.load_ms is None
    assert machine.loads == 1
    assert len(machine.parrot.threads) == 1, "one thread alone works with a model"


def test_an_error_of_the_model_is_an_error_of_ours(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    machine.parrot.error = ValueError("bang.\nmore")
    with pytest.raises(EngineError, match=r"^Transformers failed: bang\.$"):
        said(KIND, tiny, asked(), awaited=awaited)
    machine.parrot.error = OutOfMemoryError("CUDA out of memory")
    with pytest.raises(EngineError, match=r"CUDA out of memory\. Type `-o num_ctx` with less"):
        said(KIND, tiny, asked(), awaited=awaited)
    with pytest.raises(BadRequest, match="-o num_ctx"):
        said(KIND, tiny, asked(context_length=6), awaited=awaited)
    machine.parrot.error = None
    assert done(said(KIND, tiny, asked(), awaited=awaited)).reason == "stop"


def test_no_answer_at_all_cannot_be_asked_for(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    with pytest.raises(BadRequest, match="An answer of 0 tokens cannot be asked for"):
        said(KIND, tiny, asked(max_tokens=0), awaited=awaited)
    assert machine.loads == 0


def test_who_stops_reading_stops_the_work(machine: Machine, tiny: BoundModel, awaited: bool) -> None:
    assert left(KIND, tiny, asked(), awaited=awaited) == Piece("x")
    assert machine.parrot.reads == [6]
    machine.parrot.reads.clear()
    said(KIND, tiny, asked(), awaited=awaited)
    assert machine.parrot.reads[0] == 1, "what was read is kept"


@pytest.fixture
def interruptible() -> Iterator[None]:
    "What a shell starts in the background ignores Ctrl-C."
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_control_c_stops_at_once(machine: Machine, tiny: BoundModel) -> None:
    "Though a step is under way, which nothing could interrupt."
    with TransformersEngine(tiny) as engine:
        items = engine.complete(asked())
        next(items)
        machine.parrot.go.clear()
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            next(items)
        assert time.perf_counter() - began < 2
        machine.parrot.go.set()
    assert text(said(KIND, tiny, asked("other"), awaited=False)) == "y"
    assert len(machine.parrot.reads) < 10


def test_a_client_that_leaves_stops_at_once(machine: Machine, tiny: BoundModel) -> None:
    async def leaving() -> None:
        async with aclosing(AsyncTransformersEngine(tiny).complete(asked())) as items:
            await anext(items)
            machine.parrot.go.clear()
            next_one = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0.05)
            next_one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await next_one
        machine.parrot.go.set()

    asyncio.run(asyncio.wait_for(leaving(), 5))
    said(KIND, tiny, asked("other"), awaited=True)
    assert len(machine.parrot.reads) < 10


def test_several_at_once_take_turns(machine: Machine, tiny: BoundModel) -> None:
    said_by: list[str] = []

    async def one(engine: AsyncTransformersEngine, prompt: str) -> None:
        async for item in engine.complete(asked(prompt)):
            if isinstance(item, Piece):
                said_by.append(item.text)

    async def both() -> None:
        engine = AsyncTransformersEngine(tiny)
        await asyncio.gather(one(engine, "prompt"), one(engine, "other"))

    asyncio.run(both())
    assert said_by.count("x") == 50
    assert "y" in said_by[:10], "it does not wait for the end of the other"


def test_within_one_answer_another_can_be_asked(machine: Machine, tiny: BoundModel) -> None:
    with TransformersEngine(tiny) as engine:
        items = engine.complete(asked())
        next(items)
        assert text(list(engine.complete(asked("other")))) == "y"
        assert text(list(items)) == "x" * 49


def test_it_is_unloaded_after_a_while(
    machine: Machine, tiny: BoundModel, pool: ModelPool[Any, Any, ModelThread], awaited: bool
) -> None:
    path = str(tiny.engine_options["weights"])
    said(KIND, tiny, asked(), awaited=awaited)
    assert KIND.model_status(tiny, None).loaded
    said(KIND, tiny, asked(keep_alive=0), awaited=awaited)
    until(lambda: pool.find_loaded(path) is None)
    said(KIND, tiny, asked(), awaited=awaited)
    assert machine.loads == 2


def test_who_leaves_while_it_loads_leaves_it_to_the_next(machine: Machine, tiny: BoundModel) -> None:
    async def leaving() -> None:
        machine.go.clear()
        task = asyncio.ensure_future(anext(AsyncTransformersEngine(tiny).complete(asked())))
        await asyncio.to_thread(until, lambda: machine.loads == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        machine.go.set()

    asyncio.run(asyncio.wait_for(leaving(), 5))
    assert text(said(KIND, tiny, asked("other"), awaited=True)) == "y"
    assert machine.loads == 1


def test_what_is_left_is_closed_in_the_thread_of_the_model(machine: Machine, tiny: BoundModel) -> None:
    "Whoever else still has it, and behind the step that is under way."
    loaded = ModelThread(ModelSource(tiny).folder, 100)
    steps = loaded.start(asked(), 100)
    machine.parrot.go.clear()
    under_way = loaded.step(steps)
    loaded.stop(steps)
    machine.parrot.go.set()
    assert under_way.result() is None
    loaded.close()
    assert steps.gi_frame is None


def test_a_program_that_ends_is_not_held_up(machine: Machine, tiny: BoundModel) -> None:
    loaded = ModelThread(ModelSource(tiny).folder, 100)
    steps = loaded.start(asked(), 100)
    loaded.step(steps).result()
    loaded._thread.shutdown()
    loaded.stop(steps)


@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        (OSError("no file\nof that name"), EngineError, "cannot load .*: no file. Another folder, or"),
        (NotGptOss("no gpt-oss"), NotGptOss, "no gpt-oss"),
        (RuntimeError(), EngineError, "RuntimeError"),
    ],
)
def test_what_cannot_be_loaded(
    machine: Machine, tiny: BoundModel, awaited: bool, problem: Exception, error: Any, words: str
) -> None:
    machine.error = problem
    with pytest.raises(error, match=words):
        said(KIND, tiny, asked(), awaited=awaited)


def test_a_torch_that_cannot_be_imported(
    tiny: BoundModel, awaited: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = "llm_gpt_oss.engines.transformers.torch_model"
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so cannot be opened')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in (network, "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(transformers_loaded, "find_spec", lambda name: True)
    with pytest.raises(EngineError, match=r"Transformers cannot load .*: libcudart\.so cannot be opened\. "):
        said(KIND, tiny, asked(), awaited=awaited)


@pytest.mark.parametrize("missing", ["torch", "transformers", "accelerate", "llguidance"])
def test_what_is_not_installed_is_named(
    tiny: BoundModel, awaited: bool, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_loaded, "find_spec", lambda name: None if name == missing else True)
    with pytest.raises(
        EngineError, match=rf"needs {missing}, .* `llm install 'llm-gpt-oss\[transformers\]'`"
    ):
        said(KIND, tiny, asked(), awaited=awaited)


@pytest.mark.parametrize(
    ("free", "packed", "graphics", "fits"),
    [(2.0, False, 0, False), (2.0, False, 2.0, True), (2.0, True, 0, True), (0.5, True, 0.1, False)],
)
def test_what_would_not_fit_is_not_loaded(
    tmp_path: Path,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    packed: bool,
    graphics: float,
    fits: bool,
) -> None:
    quantized = {"quantization_config": {"quant_method": "mxfp4"}, "max_position_embeddings": 100}
    big = bare(tmp_path / "big", intermediate_size=65536, num_local_experts=5, **quantized)
    monkeypatch.setattr(memory, "available_memory", lambda: int(free * 1e9))
    machine.packed, machine.graphics = packed, int(graphics * 1e9)
    hosted = model("transformers", weights=str(big))
    size = ModelSource(hosted).folder
    assert (round(size.required_memory(100, False) / 1e9, 1), size.required_memory(100, True)) == (
        3.0,
        1002 + 819200,
    )
    if fits or packed:
        assert done(said(KIND, hosted, asked(), awaited=False)).reason == "stop"
        return
    with pytest.raises(
        EngineError, match=r"about 3.0 GB of memory .* where MXFP4 has to be unpacked, and 2.0"
    ):
        said(KIND, hosted, asked(), awaited=False)
    assert machine.loads == 0


def test_where_nothing_says_how_much_is_free_it_is_loaded(
    machine: Machine, tiny: BoundModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert done(said(KIND, tiny, asked(), awaited=False)).reason == "stop"
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    machine.graphics = 500
    with pytest.raises(EngineError, match=r"0.0 GB are free and 0.0 GB on the GPU"):
        ModelThread(ModelSource(tiny).folder, 100)


@pytest.mark.parametrize(
    ("facts", "asks", "context"),
    [({}, None, 16384), ({"context": 600}, None, 600), ({"context": 600}, 700, 700), ({}, 10**6, 131072)],
)
def test_the_context(tiny: BoundModel, facts: Any, asks: int | None, context: int) -> None:
    weights = ModelSource(model("transformers", **tiny.engine_options, **facts))
    assert weights.context_length(asked(context_length=asks)) == context
    assert weights.keep_alive(asked(keep_alive="2m")) == 120
    assert weights.keep_alive(asked()) == 300


def test_its_state(tiny: BoundModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_kind, "_version", lambda: "torch 2")
    assert KIND.summary(tiny.settings, []) == "torch 2; no model for it"
    assert KIND.summary(tiny.settings, [tiny]) == f"torch 2; tiny from {tiny.engine_options['weights']}"
    monkeypatch.setattr(transformers_kind, "_version", lambda: None)
    assert KIND.summary(tiny.settings, []).startswith("torch or transformers is not installed; ")


def test_its_condition(tiny: BoundModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers_kind, "_version", lambda: "torch 2")
    found = KIND.model_status(tiny, None)
    assert (found.address, found.version, found.size) == (tiny.engine_options["weights"], "torch 2", 1002)
    assert (found.installed, found.loaded, found.problem) == (True, False, None)
    bare(Path(str(tiny.engine_options["weights"])), model_type="llama")
    assert "only gpt-oss reads harmony" in str(KIND.model_status(tiny, None).problem)
    with pytest.raises(GptOssError, match="only gpt-oss reads harmony"):
        KIND.check(tiny)
    found = KIND.model_status(model("transformers"), None)
    assert (found.address, found.installed) == ("no folder", False)
    bare(Path(str(tiny.engine_options["weights"])))
    monkeypatch.setattr(transformers_kind, "_version", lambda: None)
    assert "llm install 'llm-gpt-oss[transformers]'" in str(KIND.model_status(tiny, None).problem)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"triton", "kernels"}, "torch 2"),
        ({"triton"}, "torch 2, MXFP4 unpacked to 16 bits: kernels is not installed"),
        (set(), "torch 2, MXFP4 unpacked to 16 bits: triton is not installed"),
    ],
)
def test_it_says_when_weights_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: set[str], said: str
) -> None:
    monkeypatch.setattr(transformers_kind, "_version", lambda: "torch 2")
    monkeypatch.setattr(transformers_kind, "find_spec", lambda name: True if name in there else None)
    packed = bare(tmp_path, quantization_config={"quant_method": "mxfp4"})
    assert KIND.model_status(model("transformers", weights=str(packed)), None).version == said


def test_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert transformers_kind._version() is None
    for name, number in (("torch", 9), ("transformers", 8)):
        (tmp_path / f"{name}-{number}.dist-info").mkdir()
        (tmp_path / f"{name}-{number}.dist-info" / "METADATA").write_text(
            f"Name: {name}\nVersion: {number}\n"
        )
    assert transformers_kind._version() == "torch 9, transformers 8"
