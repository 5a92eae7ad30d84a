"""What every test stands on: its own user directory, a clean environment, no way out of this machine.

A test marked `vcr` replays `cassettes/`; `--record-mode=rewrite` records it anew, and `--live` runs it
against the real engine, as it does the tests marked `live`, which are skipped without it. Recording and
live runs obey OLLAMA_* and LOCAL_LLM_MODEL; a replay has the model that was recorded. What only gpt-oss-tiny
says is marked `tiny`, and left alone, cassette and all, when another model records or is asked live; what
asks vLLM is marked `vllm`, and left alone where VLLM_HOST names none.
"""

from __future__ import annotations

import gc
import inspect
import os
import re
import signal
import socket
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from support.case_ids import case_id
from support.recording import anonymous, portable
from vcr.cassette import Cassette

TESTS = Path(__file__).parent
CASSETTES = TESTS.parent / "cassettes"
RECORDED_MODEL = CASSETTES / "model"
TINY = "gpt-oss-tiny"

# Taken away before llm is imported, which reads LLM_LOAD_PLUGINS then: ours must load by its entry point.
# A proxy would carry even a request for 127.0.0.1 elsewhere.
MEDDLING = re.compile(
    r"OLLAMA_|V?LLM_|LOCAL_LLM_MODEL$|API_|OPENAI_|(http|https|all|no)_proxy$", re.IGNORECASE
)
OUTSIDE = {name: os.environ.pop(name) for name in list(os.environ) if MEDDLING.match(name)}

# What pytest-recording and this module set up for a test with a cassette, or with a real engine. For the
# thousands of tests that have neither, it would take as long as the tests.
FOR_CASSETTES = {
    "block_network",
    "disable_recording",
    "record_mode",
    "recording",
    "vcr",
    "vcr_cassette_dir",
    "vcr_markers",
}

CONNECT = socket.socket.connect

# Every run draws the same examples, so that its result depends on the code alone. They find nothing new after
# their first run, so a third of hypothesis' default is enough. `make fuzz` draws 100 new ones for each
# property, again and again. No deadlines: a busy machine is no bug.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None, max_examples=30)
hypothesis.settings.register_profile("fuzz", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("same")

# nohup and job runners ignore some signals, and the processes that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="ask the real engine that OLLAMA_HOST names")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--live"):
        config.option.disable_recording = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    live = config.getoption("--live")
    asks = _asks_engine(config)
    another = asks and OUTSIDE.get("LOCAL_LLM_MODEL") != TINY
    for item in items:
        if isinstance(item, pytest.Function) and not any(map(item.get_closest_marker, ("vcr", "live"))):
            needless = FOR_CASSETTES.difference(inspect.signature(item.function).parameters)
            item.fixturenames = [name for name in item.fixturenames if name not in needless]
        if item.get_closest_marker("live") and not live:
            item.add_marker(pytest.mark.skip(reason="needs a real engine: pytest --live"))
        if item.get_closest_marker("vllm") and asks and "VLLM_HOST" not in OUTSIDE:
            item.add_marker(pytest.mark.skip(reason="needs a vLLM with the tiny model: VLLM_HOST=http://..."))
        if item.get_closest_marker("tiny") and another:
            item.add_marker(pytest.mark.skip(reason=f"what only {TINY} says: LOCAL_LLM_MODEL={TINY}"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    # Thousands of tests are objects that stay. The garbage collector need not look at them again and again.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    return case_id(val)


@pytest.fixture
def reaches_engine(request: pytest.FixtureRequest) -> bool:
    return _reaches_engine(request)


def _reaches_engine(request: pytest.FixtureRequest) -> bool:
    "Whether this test talks to the real engine."
    if request.node.get_closest_marker("live"):
        return True
    recorded = request.node.get_closest_marker("vcr") is not None
    return recorded and _asks_engine(request.config)


def _asks_engine(config: pytest.Config) -> bool:
    "Whether tests with a cassette ask the real engine."
    return bool(config.getoption("--live")) or (config.getoption("--record-mode") or "none") != "none"


@pytest.fixture(scope="session")
def user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    "The beginnings of the names of folders that each test has to itself."
    folder = tmp_path_factory.mktemp("user")
    return (f"{folder}/{number}-" for number in count())


@pytest.fixture
def tmp_path(user_folders: Iterator[str]) -> Path:
    "pytest's own looks through the folders of all earlier tests for a name that is free."
    path = Path(f"{next(user_folders)}tmp")
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def environment(user_folders: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    "Nothing of the caller's, and no network."
    folder = next(user_folders)
    monkeypatch.setenv("LLM_USER_PATH", f"{folder}llm")
    monkeypatch.setenv("OLLAMA_MODELS", f"{folder}ollama")
    monkeypatch.setattr(socket.socket, "connect", _connect_to_this_machine)


@pytest.fixture(autouse=True)
def recording(request: pytest.FixtureRequest, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    "What a test with a cassette or a real engine needs. Other tests do not have this fixture."
    recorded = request.node.get_closest_marker("vcr") is not None
    if recorded:
        monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")  # part of every prompt
        request.getfixturevalue("recorded_transport")
        request.getfixturevalue("whole_cassette")
    if _reaches_engine(request):
        monkeypatch.setattr(socket.socket, "connect", CONNECT)
        for name, value in OUTSIDE.items():
            if name.startswith(("OLLAMA_", "LOCAL_LLM_MODEL", "VLLM_HOST")):
                monkeypatch.setenv(name, value)
    elif recorded:
        # A cassette answers only for the model that it was recorded with.
        tiny = request.node.get_closest_marker("tiny")
        monkeypatch.setenv("LOCAL_LLM_MODEL", TINY if tiny else RECORDED_MODEL.read_text().strip())


def _connect_to_this_machine(self: socket.socket, address: Any, /) -> None:
    "Connect only to this machine, and there not to the Ollama that a developer happens to run."
    if self.family != socket.AF_UNIX:
        host, port, *_ = address
        if host not in ("127.0.0.1", "::1") or port == 11434:
            self.close()
            pytest.fail(f"a test connects to {host}:{port} instead of a scripted server", pytrace=False)
    return CONNECT(self, address)


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    "`tests/a/test_b.py` has its cassettes in `cassettes/a/test_b/`."
    return str(CASSETTES / request.path.relative_to(TESTS).with_suffix(""))


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    return {
        "ignore_hosts": ["testserver"],  # our own app, in this process: VCR also patches ASGI
        "match_on": ["method", "path", "query", "body"],
        "before_record_request": anonymous,
        "before_record_response": portable,
    }


@pytest.fixture
def recorded_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    "VCR records the transports that httpx has itself, so tests with a cassette use those."
    monkeypatch.setattr(
        "llm_gpt_oss.engines.http.connection.LoopbackTransport",
        # Without certificates, which take a while to load: these connections are to this machine.
        lambda limits: httpx.AsyncHTTPTransport(limits=limits, verify=False),
    )


@pytest.fixture
def whole_cassette(request: pytest.FixtureRequest, vcr: Cassette | None, record_mode: str) -> Iterator[None]:
    "A replayed test asks for all that was recorded, no more (VCR sees to that) and no less."
    yield
    if vcr is None:
        return
    if record_mode == "none":
        assert vcr.all_played, "fewer requests than the cassette holds: record it again"
    elif not any(map(request.node.get_closest_marker, ("tiny", "vllm"))):
        RECORDED_MODEL.write_text(os.environ.get("LOCAL_LLM_MODEL", "gpt-oss:20b") + "\n")
