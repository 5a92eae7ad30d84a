"""Loads llm with its plugins and asks for its models, then prints as JSON what that took.

Run in a process of its own by test_startup.py: what is imported once cannot be seen to be imported.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

LEAVING = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
    "subprocess.Popen",
    "sqlite3.connect",
}
opened: set[str] = set()
left: list[str] = []


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and not isinstance(args[0], int):
        opened.add(os.fsdecode(args[0]))
    elif event in LEAVING:
        left.append(f"{event} {args[1:]}")


sys.addaudithook(watch)

import llm  # noqa: E402
import llm.cli  # noqa: E402

models = {
    entry.model.model_id: [sorted(entry.aliases), entry.async_model is not None]
    for entry in llm.get_models_with_aliases()
}
llm.get_model("gpt-oss")
llm.get_async_model("gpt-oss")

# Python's own files and those of the installed packages are how importing works.
installed = tuple(os.path.join(folder, "") for folder in {*sys.path, sys.prefix, sys.base_prefix} if folder)
print(
    json.dumps(
        {
            "plugins": [plugin["name"] for plugin in llm.get_plugins()],
            "models": models,
            "packages": sorted({name.partition(".")[0] for name in sys.modules}),
            "opened": sorted(path for path in opened if not path.startswith(installed)),
            "left": left,
        }
    )
)
