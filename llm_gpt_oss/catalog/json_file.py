"Edits JSON files of this plugin. Writers take turns, and readers never see a partly written file."

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

# How long to wait for other writers, in seconds. An edit takes milliseconds.
LOCK_TIMEOUT = 5.0
RETRY_INTERVAL = 0.01


@contextmanager
def edit_json(path: Path, read: Callable[[], T]) -> Iterator[T]:
    """Lock the file, yield what `read` returns, and write the value back. An error leaves the file unchanged.

    Only the owner of the file can read it. Raise GptOssError if it cannot be locked or written.
    """
    target = path.resolve()  # a symbolic link, for example into a folder of dotfiles, stays a link
    # The new file is also the lock: only one process can create it, and renaming it over the target releases
    # it.
    draft = target.with_name(f"{target.name}.lock")
    try:
        descriptor = _create(draft)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                yield (content := read())
                file.write(json.dumps(content, indent=4, ensure_ascii=False) + "\n")
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as problem:
        raise GptOssError(f"{target} cannot be written: {problem.strerror}.") from problem


def _create(draft: Path) -> int:
    """Create the file and return its descriptor. While it exists, wait for the other writer.

    Raise GptOssError if the file still exists after LOCK_TIMEOUT.
    """
    for _ in range(round(LOCK_TIMEOUT / RETRY_INTERVAL)):
        try:
            return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            time.sleep(RETRY_INTERVAL)
    raise GptOssError(
        f"{draft} exists: another command is writing, or was killed while writing.",
        remedy="Delete that file if no other command is running.",
    )
