"""The metrics of a server: the counts of its workers, and their current state.

metrics.render(server_state, accept)  # the answer of GET /metrics
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from .counters import Counters
from .definitions import (
    BUILD,
    ENGINE_LOADED,
    ENGINE_UP,
    LOG_BYTES,
    LOG_IN_MEMORY,
    LOG_PROBLEMS,
    LOG_UNUSABLE,
    LOG_WAITING,
    QUEUE_RUNNING,
    QUEUE_WAITING,
    Definition,
)
from .process import process_metrics
from .snapshot import Snapshot, render, summed
from .workers import WorkerFiles


@dataclass(frozen=True, slots=True)
class WorkerState:
    "The state of one worker: its queue, and the turns that it keeps only in memory."

    running: int
    waiting: int
    turns_in_memory: int


@dataclass(frozen=True, slots=True)
class SharedState:
    """The state that all workers share: the log, and the engine of the default model.

    `log_bytes` is None if there is no log yet.
    """

    engine: str
    model: str
    engine_up: bool
    model_loaded: bool
    waiting_turns: int
    unusable_files: int
    log_problems: int
    log_bytes: int | None


class ServerMetrics:
    "The metrics of all workers, which share them in `folder`. It is None if there is only one worker."

    def __init__(self, counters: Counters, folder: Path | None = None) -> None:
        self._counters = counters
        self._files = WorkerFiles(folder) if folder else None

    @property
    def is_shared(self) -> bool:
        "Whether there are other workers, which read the metrics that this one publishes."
        return self._files is not None

    def publish(self, worker: WorkerState) -> Snapshot:
        "Write the metrics of this worker for the others, and return them."
        state = [
            _gauge(QUEUE_RUNNING, worker.running),
            _gauge(QUEUE_WAITING, worker.waiting),
            _gauge(LOG_IN_MEMORY, worker.turns_in_memory),
            *process_metrics(),
        ]
        snapshot = Snapshot(self._counters.collect(), state)
        if self._files:
            self._files.publish(snapshot)
        return snapshot

    def render(self, worker: WorkerState, shared: SharedState, accept: str) -> tuple[bytes, str]:
        "Return the metrics of all workers as text, and its content type. `accept` is the Accept header."
        snapshots = [self.publish(worker), *(self._files.others() if self._files else ())]
        metrics = [metric for each in snapshots for metric in (*each.counts, *each.state)]
        return render([*summed(metrics), *_shared_metrics(shared)], accept)


def _shared_metrics(state: SharedState) -> Iterator[Metric]:
    labels = (state.engine, state.model)
    yield _gauge(ENGINE_UP, state.engine_up, labels)
    yield _gauge(ENGINE_LOADED, state.model_loaded, labels)
    yield _gauge(LOG_WAITING, state.waiting_turns)
    yield _gauge(LOG_UNUSABLE, state.unusable_files)
    yield _gauge(LOG_PROBLEMS, state.log_problems)
    if state.log_bytes is not None:
        yield _gauge(LOG_BYTES, state.log_bytes)
    versions = (version("llm-gpt-oss"), version("llm"), platform.python_version())
    build = InfoMetricFamily(BUILD.name.removesuffix("_info"), BUILD.help)
    build.add_metric((), dict(zip(BUILD.labels, versions, strict=True)))
    yield build


def _gauge(definition: Definition, value: float, labels: tuple[str, ...] = ()) -> Metric:
    metric = GaugeMetricFamily(definition.name, definition.help, labels=definition.labels)
    metric.add_metric(labels, float(value))
    return metric
