"""Install real clients, run each against the server, and record what came of it and what they sent.

`make clients` runs this. The outcomes go to tests/clients/results.json, which the table of docs/clients.md is
made from. The requests go to tests/clients/requests/, and the suite replays them. A client that cannot be
installed here keeps the outcomes of an earlier run. The exit status is 1 if a case fails.

    make clients                             # all of tests/support/clients/table.py
    make clients ARGS="openai_chat openai_go"
    make clients ARGS=--ci                   # those that CI runs
    CLIENTS_DIR=/tmp/clients make clients    # where they are installed, instead of a temporary folder
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.clients.installers import NotInstalled  # noqa: E402
from support.clients.programs import has_passed, run_program  # noqa: E402
from support.clients.records import read_results, stored, write_requests, write_results  # noqa: E402
from support.clients.server import Recorded, serving  # noqa: E402
from support.clients.table import CLIENTS, PROGRAMS, Client  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Run real clients against the server.")
    parser.add_argument("client", nargs="*", help="only these: names of programs without suffix")
    parser.add_argument("--ci", action="store_true", help="only those that CI runs")
    arguments = parser.parse_args()
    chosen = set(arguments.client)
    if unknown := chosen - {client.slug for client in CLIENTS}:
        parser.error(f"no client is called {', '.join(sorted(unknown))}: see {PROGRAMS.relative_to(ROOT)}")
    base = Path(os.environ.get("CLIENTS_DIR", Path(tempfile.gettempdir()) / "llm-gpt-oss-clients"))
    chosen |= {client.slug for client in CLIENTS if arguments.ci and client.in_ci}
    clients = [client for client in CLIENTS if client.slug in chosen or not chosen]
    with tempfile.TemporaryDirectory() as folder:
        _isolate(folder)
        outcomes = [run_client(client, base / client.folder) for client in clients]
    return 0 if all(outcomes) else 1


def _isolate(folder: str) -> None:
    "Do not use the caller's settings and log."
    for name in list(os.environ):
        if name.startswith(("OLLAMA_", "LLM_", "LOCAL_LLM_MODEL")):
            del os.environ[name]
    os.environ["LLM_USER_PATH"] = folder


def run_client(client: Client, folder: Path) -> bool:
    "Install a client, run its cases, and write the outcomes. Return whether none failed."
    folder.mkdir(parents=True, exist_ok=True)
    program = PROGRAMS / client.program
    print(f"{client.name}: installing", flush=True)
    try:
        client.installer.install(folder, program)
        version = client.installer.version(folder)
    except NotInstalled as problem:
        print(f"  not installed: {problem} ({folder / 'install.log'})", flush=True)
        return True
    command = ["nice", "-n", "5", *client.installer.command(folder, program)]
    requests = []
    outcomes = {}
    with tempfile.TemporaryDirectory() as log_folder, serving(Path(log_folder)) as server:
        server.begin(client.slug)
        for case in client.cases:
            log = folder / f"{client.slug}-{case}.log"
            output = run_program(command, case, server, folder=folder, log=log, seconds=client.seconds)
            passed = has_passed(case, output, server.requests)
            outcomes[case] = "passed" if passed else "failed"
            print(f"  {case}: {outcomes[case]}", flush=True)
            if passed:
                sent = [request for request in server.requests if request.body]
                requests += [stored(case, request, [folder, ROOT, Path.home()]) for request in sent]
            else:
                report(log, server.requests, output)
            server.requests.clear()
    write_requests(client.slug, requests)
    write_results({**read_results(), client.slug: {"version": version, "cases": outcomes}})
    return "failed" not in outcomes.values()


def report(log: Path, requests: list[Recorded], output: str) -> None:
    "Print why a case failed, with the requests that got an error."
    print(f"    see {log}; it printed {output[-300:]!r}")
    for request in requests:
        if request.status != 200:
            print(f"    {request.method} {request.path}: {request.status} {request.answer.decode()[:500]}")
            print(f"      {request.body.decode()[:2000]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
