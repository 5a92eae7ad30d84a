"""Lists llm's models as `llm models` does, and prints as JSON what the process imported, opened and called.

test_startup.py runs it in a process of its own, because a module is imported only once in a process.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

CALLS = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
    "subprocess.Popen",
    "sqlite3.connect",
}
opened: set[str] = set()
called: list[str] = []


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and not isinstance(args[0], int):
        opened.add(os.fsdecode(args[0]))
    elif event in CALLS:
        called.append(f"{event} {args[1:]}")


sys.addaudithook(watch)

import llm  # noqa: E402
import llm.cli  # noqa: E402

models = {
    entry.model.model_id: [str(entry.model), sorted(entry.aliases), entry.async_model is not None]
    for entry in llm.get_models_with_aliases()
}
llm.get_model("gpt-oss")
llm.get_async_model("gpt-oss")

# Importing reads the files of Python and of the installed packages.
installed = tuple(os.path.join(folder, "") for folder in {*sys.path, sys.prefix, sys.base_prefix} if folder)
print(
    json.dumps(
        {
            "plugins": [plugin["name"] for plugin in llm.get_plugins()],
            "models": models,
            "modules": sorted(sys.modules),
            "opened": sorted(path for path in opened if not path.startswith(installed)),
            "called": called,
        }
    )
)
