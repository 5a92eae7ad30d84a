"Reads the text of `/metrics` with Prometheus' own parser."

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Scraped:
    """The samples of a text.

    scraped("gpt_oss_turns_total", status="200")  # the sum of all samples with this name and these labels
    """

    def __init__(self, text: str) -> None:
        self.families = [*text_string_to_metric_families(text)]
        self._samples = [sample for family in self.families for sample in family.samples]
        self.names = {sample.name for sample in self._samples}

    def __call__(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def values(self, label: str) -> set[str]:
        "All values that a label has."
        return {sample.labels[label] for sample in self._samples if label in sample.labels}
