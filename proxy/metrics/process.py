"The process metrics that all Prometheus clients have: processor time, memory, open files."

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric


def process_metrics() -> Iterator[Metric]:
    """Yield the metrics of this process. Without /proc there are none.

    The label `pid` keeps workers apart, whose start times and limits have no sum.
    """
    pid = str(os.getpid())
    for metric in ProcessCollector(registry=None).collect():
        labelled = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            labelled.add_sample(sample.name, {"pid": pid}, sample.value)
        yield labelled
