"""Install real clients, run each against the server, and record what came of it and what they sent.

`make clients` runs this. The outcomes go to tests/clients/results.json, which the table of docs/clients.md is
made from. The requests go to tests/clients/requests/, and the suite replays them. A client that cannot be
installed here keeps the outcomes of an earlier run. The exit status is 1 if a case fails.

    make clients                             # all of tests/support/clients/table.py
    make clients ARGS="openai_chat openai_go"
    CLIENTS_DIR=/tmp/clients make clients    # where they are installed, instead of a temporary folder
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
os.environ["LLM_USER_PATH"] = tempfile.mkdtemp()

from support.clients.installers import NotInstalled  # noqa: E402
from support.clients.records import read_results, stored, write_requests, write_results  # noqa: E402
from support.clients.server import Recorded, Served, serving  # noqa: E402
from support.clients.table import CASES, CLIENTS, PROGRAMS, Client  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Run real clients against the server.")
    parser.add_argument("client", nargs="*", help="only these: names of programs without suffix")
    chosen = parser.parse_args().client
    base = Path(os.environ.get("CLIENTS_DIR", Path(tempfile.gettempdir()) / "llm-gpt-oss-clients"))
    failed = 0
    for client in CLIENTS:
        if not chosen or client.slug in chosen:
            failed += not run_client(client, base / client.folder)
    return 1 if failed else 0


def run_client(client: Client, folder: Path) -> bool:
    "Install a client, run its cases, and write the outcomes. Return whether none failed."
    (folder / "home").mkdir(parents=True, exist_ok=True)
    program = PROGRAMS / client.program
    print(f"{client.name}: installing", flush=True)
    try:
        client.installer.install(folder, program)
        version = client.installer.version(folder)
    except NotInstalled as problem:
        print(f"  not installed: {problem} ({folder / 'install.log'})", flush=True)
        return True
    requests = []
    outcomes = {}
    with tempfile.TemporaryDirectory() as log, serving(Path(log)) as server:
        server.begin(client.slug)
        for case in client.cases:
            output = run_case(client, case, folder, server)
            passed = CASES[case] in output and answered(case, server.requests)
            outcomes[case] = "passed" if passed else "failed"
            print(f"  {case}: {outcomes[case]}", flush=True)
            if passed:
                requests += [
                    stored(case, each, [folder, ROOT, Path.home()]) for each in server.requests if each.body
                ]
            else:
                report(client, case, folder, server.requests, output)
            server.requests.clear()
    write_requests(client.slug, requests)
    write_results({**read_results(), client.slug: {"version": version, "cases": outcomes}})
    return "failed" not in outcomes.values()


def run_case(client: Client, case: str, folder: Path, server: Served) -> str:
    "Return what the client's program prints, or an empty text if it fails."
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "JAVA_HOME")},
        "HOME": str(folder / "home"),
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "OPENAI_API_BASE": f"{server.url}/v1",
        "OPENAI_API_KEY": "any",
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": "any",
        "DO_NOT_TRACK": "1",
    }
    with (folder / f"{client.slug}-{case}.log").open("w") as log:
        try:
            result = subprocess.run(
                ["nice", "-n", "5", *client.installer.command(folder, PROGRAMS / client.program), case],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                timeout=client.seconds,
            )
        except subprocess.TimeoutExpired:
            log.write(f"\nnot finished after {client.seconds} s\n")
            return ""
    return result.stdout if result.returncode == 0 else ""


def answered(case: str, requests: list[Recorded]) -> bool:
    "Whether each request got an answer, and as a stream where the case is about that. Probes have no body."
    streamed = any(b"data:" in request.answer for request in requests)
    return all(request.status == 200 for request in requests if request.body) and (
        streamed or case != "stream"
    )


def report(client: Client, case: str, folder: Path, requests: list[Recorded], output: str) -> None:
    "Print where a case failed, with the requests that got an error."
    print(f"    see {folder / f'{client.slug}-{case}.log'}; it printed {output[-300:]!r}")
    for request in requests:
        if request.status != 200 and request.body:
            print(f"    {request.method} {request.path}: {request.status} {request.answer.decode()[:500]}")
            print(f"      {request.body.decode()[:2000]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
