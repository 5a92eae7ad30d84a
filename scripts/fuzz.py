"""Run the property tests with new examples until the time is up.

`make fuzz MINUTES=10` runs this. A failure prints the command that repeats it, and ends the run.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
import time

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0


def main() -> int:
    end = time.monotonic() + 60 * MINUTES
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        rounds += 1
        seed = secrets.randbelow(2**32)
        print(
            f"Round {rounds}, seed {seed}, {max(0, end - time.monotonic()) / 60:.1f} minutes left", flush=True
        )
        options = ["-m", "hypothesis", "--hypothesis-profile=fuzz", f"--hypothesis-seed={seed}"]
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-n", "auto", *options, *sys.argv[2:]]
        if status := subprocess.run(command).returncode:
            arguments = shlex.join([*options, *sys.argv[2:]])
            print(f"\nTo repeat it: make test ARGS={shlex.quote(arguments)}")
            return status
    print(f"{rounds} rounds passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
