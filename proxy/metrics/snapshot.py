"The metrics of one process at one moment, their sum over several processes, and their text."

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Snapshot:
    "The metrics of one process. `counts` stay valid after it has ended, `state` does not."

    counts: Sequence[Metric]
    state: Sequence[Metric]

    def to_json(self) -> str:
        return json.dumps({name: [_to_dict(each) for each in getattr(self, name)] for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        "Raises ValueError, KeyError or TypeError for a text that `to_json` did not write."
        data = json.loads(text)
        return cls(*([_from_dict(each) for each in data[name]] for name in cls.__slots__))


def summed(metrics: Iterable[Metric]) -> list[Metric]:
    """Sum the samples that have the same name and labels.

    Times at which counters were created are left out, because their sum means nothing.
    """
    sums: dict[str, tuple[Metric, dict[tuple[Any, ...], float]]] = {}
    for metric in metrics:
        _, values = sums.setdefault(metric.name, (metric, {}))
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                key = (sample.name, *sample.labels.items())
                values[key] = values.get(key, 0) + sample.value
    return [
        _metric(metric.name, metric.documentation, metric.type, values) for metric, values in sums.values()
    ]


def render(metrics: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    "Return the text in the format that the Accept header prefers, and its content type."
    encoder, content_type = choose_encoder(accept)
    return encoder(_Metrics(metrics)), content_type


class _Metrics(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _metric(name: str, help: str, type: str, values: Mapping[tuple[Any, ...], float]) -> Metric:
    metric = Metric(name, help, type)
    for (sample, *labels), value in values.items():
        metric.add_sample(sample, dict(labels), value)
    return metric


def _to_dict(metric: Metric) -> dict[str, Any]:
    samples = [[sample.name, sample.labels, sample.value] for sample in metric.samples]
    return {"name": metric.name, "help": metric.documentation, "type": metric.type, "samples": samples}


def _from_dict(data: Mapping[str, Any]) -> Metric:
    metric = Metric(data["name"], data["help"], data["type"])
    for name, labels, value in data["samples"]:
        metric.add_sample(name, labels, value)
    return metric
