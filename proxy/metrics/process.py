"The metrics of a process that Prometheus' clients have in common: processor time, memory, open files."

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric


def process_metrics() -> Iterator[Metric]:
    """Yield the metrics of this process, none where there is no /proc.

    The label `pid` keeps those of several workers apart: each of them has its own start and its own limit.
    """
    pid = str(os.getpid())
    for metric in ProcessCollector(registry=None).collect():
        labelled = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            labelled.add_sample(sample.name, {"pid": pid}, sample.value)
        yield labelled
