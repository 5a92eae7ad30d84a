"""Attack a server with requests that are built to be bad, and check that it goes on answering everybody else.

`make attack` runs this until the time is up, and `make fuzz` after the property tests. Meanwhile a probe
asks `/health` every 50 ms. An attack fails if it costs more than the limits in
`tests/support/attacks/play.py`. The exit status is 1 if one fails.

    make attack MINUTES=10
    make attack ARGS="--seed 5"
    make attack ARGS="'/v1/messages' 'many nulls' --all"
    make attack ARGS="--list"

The limits are for a machine that does nothing else. Use `--generous` on another one.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.attacks.engine import BadEngine  # noqa: E402
from support.attacks.play import GENEROUS, STRICT, Limits, Outcome, play, start_after_kill  # noqa: E402
from support.attacks.table import Attack, drawn, named  # noqa: E402
from support.attacks.target import Probe, Target  # noqa: E402

# After so many attacks a new server gets a new log, so that the logs do not fill the disk.
ROUND = 100
# The body during which a server is killed, in each round.
KILLED_DURING = "ChatRequest /v1/chat/completions messages[].content: '#', many ' ', 'x'"


def main() -> int:
    parser = argparse.ArgumentParser(description="Attack a server, and check that it goes on answering.")
    parser.add_argument("name", nargs="*", help="only attacks with all these texts in their names")
    parser.add_argument(
        "--without", action="append", default=[], help="no attacks with this text in their names"
    )
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, help="draw the attacks in the order of an earlier run")
    parser.add_argument("--generous", action="store_true", help="ten times the limits, for a slow machine")
    parser.add_argument("--list", action="store_true", help="print the names, and attack nothing")
    parser.add_argument(
        "--all", action="store_true", help="print all outcomes, not only those of failed attacks"
    )
    options = parser.parse_args()
    # So that a server does not outlive a script that is terminated.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    chosen = drawn(options.name, options.without, seed)
    if options.list:
        print("\n".join(attack.name for attack in chosen))
        return 0
    limits = GENEROUS if options.generous else STRICT
    end = time.monotonic() + 60 * options.minutes
    played = failed = 0
    print(f"{len(chosen)} attacks, seed {seed}", flush=True)
    while played < len(chosen) and time.monotonic() < end:
        for attack, outcome in _round(chosen[played : played + ROUND], end):
            played += 1
            if isinstance(outcome, str):
                failed += 1
                print(f"{attack.name}\n    {outcome}", flush=True)
                continue
            problems = outcome.problems(limits)
            failed += bool(problems)
            if problems or options.all:
                print(_line(attack, outcome, problems), flush=True)
        if problem := _problem_after_kill(limits):
            failed += 1
            print(f"A server is killed during: {KILLED_DURING}\n    {problem}", flush=True)
        left = max(0.0, end - time.monotonic()) / 60
        print(f"{played} attacks, {failed} failed, {left:.1f} minutes left", flush=True)
    if failed:
        print("To repeat an attack: make attack ARGS=\"'its name'\"")
    return 1 if failed else 0


def _round(attacks: Sequence[Attack], end: float) -> Iterator[tuple[Attack, Outcome | str]]:
    """Play the attacks on one server, as long as there is time.

    The last outcome is a text if the server ended, or answers nothing any more.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engine = stack.enter_context(BadEngine())
        target = stack.enter_context(Target.started(Path(folder), engine.url))
        probe = stack.enter_context(Probe(target))
        for attack in attacks:
            try:
                yield attack, play(attack, target, probe, engine)
            except (RuntimeError, OSError, HTTPException, sqlite3.Error) as error:
                yield attack, str(error) or type(error).__name__
                return
            if time.monotonic() >= end:
                return


def _problem_after_kill(limits: Limits) -> str | None:
    "Kill a server during an attack. Return what is wrong with the next one, if anything is."
    (attack,) = named(KILLED_DURING)
    with tempfile.TemporaryDirectory() as folder, BadEngine() as engine:
        try:
            seconds = start_after_kill(attack, Path(folder), engine)
        except RuntimeError as error:
            return str(error)
    return f"The next server took {seconds:.1f} s to start." if seconds > limits.start else None


def _line(attack: Attack, outcome: Outcome, problems: Sequence[str]) -> str:
    figures = (
        f"{outcome.status:3} {outcome.answer.server_seconds:6.2f} s for {outcome.megabytes:5.1f} MB, "
        f"/health {outcome.health.server_seconds:5.2f} s"
    )
    return "\n    ".join([f"{figures}  {attack.name}", *problems])


if __name__ == "__main__":
    sys.exit(main())
