"The table of docs/clients.md, from what `make clients` found."

from __future__ import annotations

from support.clients.records import read_results
from support.clients.table import CASES, CLIENTS, Client


def rows() -> list[list[str]]:
    "A row for each client: its version, and each case in words."
    return [["client", "version", *CASES], *map(_row, CLIENTS)]


def _row(client: Client) -> list[str]:
    found = read_results().get(client.slug)
    if found is None:
        return [client.name, "not run", *("" for _ in CASES)]
    outcomes = (found["cases"].get(case, "-") for case in CASES)
    return [
        client.name,
        found["version"],
        *({"passed": "yes", "failed": "**no**"}.get(each, each) for each in outcomes),
    ]
