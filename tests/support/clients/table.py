"""The clients that `make clients` runs: how each is installed, and which cases it has.

A client's program is a file in `tests/clients/programs/`. It gets the name of a case as its argument, and
prints what CASES expects. It finds the server by OPENAI_BASE_URL and OPENAI_API_KEY, and asks the model
`gpt-oss`. Its tool is `get_weather(city)`, and its structured answer is a dog with a name and an age.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.clients.installers import Installer, pip
from support.clients.model import CAPITAL, DOG, FORECAST, REASONING

PROGRAMS = Path(__file__).parents[2] / "clients" / "programs"

# What a program prints for each case.
CASES = {
    "plain": CAPITAL,
    "stream": CAPITAL,
    "tools": FORECAST,
    "structured": f"{DOG['name']} {DOG['age']}",
    "reasoning": REASONING,
}


@dataclass(frozen=True)
class Client:
    """One row of the table in docs/clients.md.

    `without` are the cases that it has no means for. `seconds` is how long one case may take.
    """

    name: str
    program: str
    installer: Installer
    without: tuple[str, ...] = ()
    seconds: int = 120

    @property
    def cases(self) -> list[str]:
        return [case for case in CASES if case not in self.without]

    @property
    def slug(self) -> str:
        "The name of its files."
        return Path(self.program).stem


CLIENTS = [
    Client("OpenAI's SDK for Python, chat", "openai_chat.py", pip("openai")),
    Client("OpenAI's SDK for Python, Responses", "openai_responses.py", pip("openai")),
]
