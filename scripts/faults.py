"""Do to real servers and shells what can go wrong, and print what came out.

`make faults` runs this. It plays the rows of tests/support/faults/: the fault matrix (F1 to F35), and what
was found when the server was attacked from outside (1 to 19). The servers listen on this machine only, in
front of a scripted Ollama. Rows run at the same time, except for those that measure. The exit status is 1 if
a row fails.

    make faults ARGS="F16 15"
    make faults ARGS="--json"

The limits of the rows that measure are for a machine that does nothing else. Use `--generous` on another one.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.faults.process import end_all  # noqa: E402
from support.faults.row import Observation, Row  # noqa: E402
from support.faults.table import TABLE  # noqa: E402
from support.faults.testbed import GENEROUS, STRICT, Testbed, testbed  # noqa: E402

# Most rows wait for something most of the time.
AT_ONCE = 4
# Seconds after which the rows that still wait have failed. An idle machine needs two minutes.
LONGEST = 1200.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Play the table of faults, and print the outcomes.")
    parser.add_argument("id", nargs="*", help="only these rows, such as F16 or 15")
    parser.add_argument("--json", action="store_true", help="one JSON object for each row")
    parser.add_argument("--generous", action="store_true", help="longer limits, for a slow machine")
    arguments = parser.parse_args()
    if unknown := {*arguments.id} - {row.id for row in TABLE}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    rows = [row for row in TABLE if not arguments.id or row.id in arguments.id]
    # nohup and job runners ignore these, and the processes of the rows would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    started = time.monotonic()
    failed = 0
    timer = Timer(LONGEST, end_all)
    timer.daemon = True
    timer.start()
    with testbed(GENEROUS if arguments.generous else STRICT) as bed:
        for observation in played(rows, bed):
            failed += bool(observation.wrong)
            print(as_json(observation) if arguments.json else as_text(observation), flush=True)
    if not arguments.json:
        seconds = time.monotonic() - started
        print(f"{len(rows) - failed} of {len(rows)} rows passed, in {seconds:.0f} seconds")
    return 1 if failed else 0


def played(rows: Sequence[Row], bed: Testbed) -> Iterator[Observation]:
    "Yield the observations: first of rows that can share the machine, then of the others."
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield from executor.map(lambda row: observe(row, bed), [row for row in rows if not row.alone])
    yield from (observe(row, bed) for row in rows if row.alone)


def observe(row: Row, bed: Testbed) -> Observation:
    started = time.monotonic()
    came = wrong = ""
    try:
        came = row.play(bed)
    except Exception as problem:
        place = traceback.extract_tb(problem.__traceback__)
        line = next(frame.lineno for frame in reversed(place) if frame.name == row.play.__name__)
        wrong = f"{type(problem).__name__} at line {line}: {problem}"
    return Observation(row, came, wrong, time.monotonic() - started)


def as_json(observation: Observation) -> str:
    row = observation.row
    fields = {"id": row.id, "name": row.name, "done": row.done, "came": observation.came}
    return json.dumps(
        {**fields, "ok": not observation.wrong, "wrong": observation.wrong, "seconds": observation.seconds},
        ensure_ascii=False,
    )


def as_text(observation: Observation) -> str:
    row = observation.row
    mark, outcome = ("FAIL", observation.wrong) if observation.wrong else ("ok  ", observation.came)
    title = f"{mark} {row.id}, {row.name} ({observation.seconds:.1f} s)"
    return f"{title}\n     done: {row.done}\n     came: {' '.join(outcome.split())}"


if __name__ == "__main__":
    sys.exit(main())
