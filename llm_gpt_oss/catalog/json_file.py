"A file of ours that is one JSON object: changed by one process at a time, and never seen half written."

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import GptOssError

T = TypeVar("T", bound=dict[str, Any])

# Seconds to wait for others: a change takes milliseconds.
PATIENCE = 5.0
PAUSE = 0.01


@contextmanager
def edit_json(path: Path, read: Callable[[], T]) -> Iterator[T]:
    """What `read` makes of the file at `path`, to be changed: written as it is left, unless by an error.

    Nobody else can change the file meanwhile. Only its owner can read it. Raises GptOssError where it cannot
    be written.
    """
    target = path.resolve()  # a link into someone's dotfiles stays a link
    # The draft is the lock too: only one can make it, and putting it in the file's place opens the lock.
    draft = target.with_name(f"{target.name}.lock")
    try:
        made = _made(draft)
        try:
            with open(made, "w", encoding="utf-8") as file:
                yield (content := read())
                file.write(json.dumps(content, indent=4, ensure_ascii=False) + "\n")
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as problem:
        raise GptOssError(f"{target} cannot be written: {problem.strerror}.") from problem


def _made(draft: Path) -> int:
    for _ in range(round(PATIENCE / PAUSE)):
        try:
            return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            time.sleep(PAUSE)
    raise GptOssError(
        f"{draft} is in the way: another command is writing, or was killed while it wrote.",
        remedy="Delete that file if there is no such command.",
    )
