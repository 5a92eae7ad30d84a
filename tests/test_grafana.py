"The dashboard in `docs/grafana.json` uses metrics and labels that `/metrics` has."

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import ProcessCollector

from proxy.metrics.definitions import METRICS, Definition

DASHBOARD: Any = json.loads(Path(__file__).parent.parent.joinpath("docs/grafana.json").read_text())
NAME = re.compile(r"\b(?:gpt_oss|process)_\w+")
BY = re.compile(r"\bby \(([^)]*)\)")


def panels() -> list[Any]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def samples(definition: Definition) -> set[str]:
    "The names of its samples."
    if definition.type != "histogram":
        return {definition.name}
    return {f"{definition.name}_{suffix}" for suffix in ("bucket", "sum", "count")}


def process_names() -> set[str]:
    families = ProcessCollector(registry=None).collect()
    return {sample.name for family in families for sample in family.samples}


@pytest.mark.parametrize("query", sorted(queries()))
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    known = {name: definition for definition in METRICS for name in samples(definition)}
    names = NAME.findall(query)
    assert names
    assert {*names} <= {*known, *process_names()}
    labels = {label.strip() for group in BY.findall(query) for label in group.split(",")}
    used = {label for name in names if name in known for label in (*known[name].labels, "le")}
    assert labels <= used


def test_every_metric_is_shown() -> None:
    shown = {name for query in queries() for name in NAME.findall(query)}
    assert [each.name for each in METRICS if not samples(each) & shown] == []


def test_the_data_source_is_a_variable() -> None:
    sources = [each["datasource"] for panel in panels() for each in (panel, *panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"


def test_rows() -> None:
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == [
        "Requests",
        "Latency",
        "Tokens",
        "Queue",
        "Repairs and other notes",
        "Log and process",
    ]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
