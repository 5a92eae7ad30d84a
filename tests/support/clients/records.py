"""What `make clients` found: versions and outcomes in `results.json`, and the requests of each client.

A request is stored without the folders of the machine. Long texts are cut, because agents send pages of
instructions, which are not ours to publish. Hosts and keys are the same for all clients.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from support.clients.server import Recorded

FOLDER = Path(__file__).parents[2] / "clients"
RESULTS = FOLDER / "results.json"
REQUESTS = FOLDER / "requests"

Json = dict[str, Any]

# Headers with a value that depends on the machine or on the body's length.
OMITTED = {"host", "content-length", "traceparent", "baggage"}
LONGEST = 200
# What identifies an installation of a client.
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def read_results() -> Json:
    results: Json = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return results


def write_results(results: Json) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def read_requests(path: Path) -> list[Json]:
    requests: list[Json] = json.loads(path.read_text())
    return requests


def write_requests(slug: str, requests: list[Json]) -> None:
    (REQUESTS / f"{slug}.json").write_text(json.dumps(requests, indent=1, ensure_ascii=False) + "\n")


def stored(case: str, request: Recorded, folders: list[Path]) -> Json:
    "Return the record of a request. `folders` are those whose names are left out."
    headers = [f"{name}: {value}" for name, value in request.headers if name not in OMITTED]
    body = request.json()
    record = {"case": case, "method": request.method, "path": request.path, "headers": headers, "body": body}
    return _anonymous(record, re.compile("|".join(re.escape(str(folder)) for folder in folders)))


def _anonymous(value: Any, folders: re.Pattern[str]) -> Any:
    match value:
        case str():
            text = DIGEST.sub("0", folders.sub("/home/user", value))
            return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
        case list():
            return [_anonymous(each, folders) for each in value]
        case dict():
            return {name: _anonymous(each, folders) for name, each in value.items()}
    return value
