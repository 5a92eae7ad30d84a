"Who may use the server: row F19, and finding 4."

from __future__ import annotations

from support.faults.client import CHAT
from support.faults.row import expect, row
from support.faults.testbed import Testbed

STRANGERS = (
    {"Host": "evil.example"},
    {"Origin": "https://evil.example"},
    {"Host": "evil.example", "Origin": "http://evil.example"},
)


@row("F19")
def names_and_pages_of_strangers(bed: Testbed) -> str:
    "A browser sends `Host: evil.example`, or `Origin: https://evil.example`."
    for headers in STRANGERS:
        for path in ("/v1/models", CHAT, "/health", "/"):
            came = bed.client.get(path, **headers)
            expect(f"status of {path} with {headers}", came.status, 403)
    return f"403 for each path: {came.error.get('message')}"


@row("4")
def strangers_in_every_mode_without_keys(bed: Testbed) -> str:
    "The same with --allow-unauthenticated, on loopback and on all addresses."
    for options in ([], ["--host", "0.0.0.0"]):
        with bed.serving("--allow-unauthenticated", *options) as server:
            expect("status without a strange name", server.client.get("/v1/models").status, 200)
            for headers in STRANGERS:
                for path in ("/v1/models", "/v1/responses/resp_1", "/health"):
                    came = server.client.get(path, **headers)
                    expect(f"status of {path} with {headers} and {options}", came.status, 403)
    return "403 for each path in both modes"
