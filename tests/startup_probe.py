"""Lists llm's models as `llm models` does, and prints as JSON what the process imported, opened and called.

Then it prompts a model of another plugin, and adds what that imported.

test_startup.py runs it in a process of its own, because a module is imported only once in a process.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from io import StringIO
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
from llm.plugins import pm  # noqa: E402


class Echo(llm.Model):
    model_id = "echo"

    def execute(self, prompt: llm.Prompt, **_: Any) -> list[str]:
        return [prompt.prompt]


@llm.hookimpl
def register_models(register: Any) -> None:
    register(Echo())


def prompt_echo() -> str:
    with redirect_stdout(StringIO()) as output:
        llm.cli.cli(["prompt", "-m", "echo", "Hello"], standalone_mode=False)
    return output.getvalue()


pm.register(sys.modules[__name__])

models = {
    entry.model.model_id: [str(entry.model), sorted(entry.aliases), entry.async_model is not None]
    for entry in llm.get_models_with_aliases()
}
llm.get_model("gpt-oss")
llm.get_async_model("gpt-oss")

# Importing reads the files of Python and of the installed packages.
installed = tuple(os.path.join(folder, "") for folder in {*sys.path, sys.prefix, sys.base_prefix} if folder)
listing = {
    "plugins": [plugin["name"] for plugin in llm.get_plugins()],
    "models": models,
    "modules": sorted(sys.modules),
    "opened": sorted(path for path in opened if not path.startswith(installed)),
    "called": [*called],
}
print(json.dumps({**listing, "answer": prompt_echo(), "prompt_modules": sorted(sys.modules)}))
