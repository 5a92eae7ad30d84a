"""Look up known vulnerabilities of what is installed in this environment, with pip-audit.

`make audit` runs this. It fails if a dependency has one. Where the data cannot be had, because the machine
has no network or its package index has no such data, it says so and succeeds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

AUDIT = ("--skip-editable", "--format", "json", "--progress-spinner", "off", "--timeout", "15")


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", *AUDIT, *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies: Sequence[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"The dependencies were not checked: {done.stderr.strip().splitlines()[-1]}")
        return 0
    checked = [each for each in dependencies if "vulns" in each]
    for each in checked:
        for problem in each["vulns"]:
            fixed = ", ".join(problem["fix_versions"]) or "no version yet"
            print(f"{each['name']} {each['version']}: {problem['id']}, fixed in {fixed}")
    if not checked:
        print("The dependencies were not checked: the package index has no data about vulnerabilities.")
        return 0
    print(f"{len(checked)} of {len(dependencies)} dependencies were checked.")
    return 1 if any(each["vulns"] for each in checked) else 0


if __name__ == "__main__":
    sys.exit(main())
