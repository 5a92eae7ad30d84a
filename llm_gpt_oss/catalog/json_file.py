"Edits JSON files of this plugin. Writers take turns, and readers never see a partly written file."

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
    draft = target.with_name(f"{target.name}.draft")
    with _locked(target):
        try:
            with open(
                os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as file:
                yield (content := read())
                file.write(json.dumps(content, indent=4, ensure_ascii=False) + "\n")
            os.replace(draft, target)
        except OSError as problem:
            raise GptOssError(
                f"{target} cannot be written: {problem.strerror}.",
                remedy="Make it and its folder writable for you.",
            ) from problem
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    "Hold the file's lock. Raise GptOssError if another process holds it for longer than LOCK_TIMEOUT."
    from ..file_lock import acquire  # not needed to list models

    lock = None
    # Where no file can be locked, nothing is: an edit takes milliseconds, and people rarely make two at once.
    with suppress(OSError):
        for _ in range(round(LOCK_TIMEOUT / RETRY_INTERVAL)):
            if lock := acquire(target.with_name(f"{target.name}.lock")):
                break
            time.sleep(RETRY_INTERVAL)
        else:
            raise GptOssError(
                f"{target} is locked: another command is writing it.", remedy="Try again when it has ended."
            )
    try:
        yield
    finally:
        if lock:
            lock.release()
