"The option `--database` of the commands that use a log."

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FC = TypeVar("FC", bound=Callable[..., Any])


def database_option(help: str) -> Callable[[FC], FC]:
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("-d", "--database", type=path, help=f"{help} instead of llm's logs.db")
