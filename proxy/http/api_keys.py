"""Who may ask: keys by name, of which only the hashes are kept.

They are in `gpt-oss-keys.json` in llm's user directory, readable by its owner alone: one JSON object, name to
hash, admin, and when it was made.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import llm

from llm_gpt_oss.catalog.json_file import edit_json
from llm_gpt_oss.errors import BadRequest, GptOssError

PREFIX = "sk-oss-"
# The key that `serve --key` was given. Not a name that `add` takes.
COMMAND_LINE_KEY = "--key"


@dataclass(frozen=True, slots=True)
class Key:
    "`sha256` is of the key's text. An admin may also do what changes or shows more than their own requests."

    name: str
    sha256: str
    admin: bool
    created: str | None = None


def hash_key(key: str) -> str:
    """One round of SHA-256, without salt: keys are 256 random bits, which nobody finds by trying, and the
    hash is made anew for each request."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_key(key: str, keys: Iterable[Key]) -> Key | None:
    "Whose key it is. Takes as long for a wrong key as for a right one."
    offered = hash_key(key)
    fitting = [known for known in keys if hmac.compare_digest(offered, known.sha256)]
    return fitting[0] if fitting else None


def path() -> Path:
    "The file. It need not exist."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder / "gpt-oss-keys.json"


def read() -> tuple[Key, ...]:
    "All keys, in the order in which they were added. Raises GptOssError where the file cannot be used."
    try:
        written = json.loads(path().read_bytes())
        return tuple(_key(name, **entry) for name, entry in written.items())
    except FileNotFoundError:
        return ()
    except OSError as problem:
        raise GptOssError(f"{path()} cannot be read: {problem.strerror}.") from problem
    except (ValueError, AttributeError, TypeError) as problem:
        raise GptOssError(
            f"{path()} holds the keys, and cannot be used: it has another form.",
            remedy="Repair it, or delete it and type `llm gpt-oss keys add NAME` for each.",
        ) from problem


def _key(name: str, sha256: str, admin: bool, created: str) -> Key:
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError
    return Key(name, sha256, admin is True, created)


def add(name: str, *, admin: bool = False) -> str:
    "A new key, in clear: it cannot be had a second time."
    if not re.fullmatch(r"[A-Za-z0-9_][\w.@-]{0,63}", name, re.ASCII):
        remedy = "Use up to 64 letters, digits and any of . _ @ -"
        raise BadRequest(f"{name!r} is no name for a key.", param="name", remedy=remedy)
    made = PREFIX + secrets.token_urlsafe(32)
    with edit_json(path(), _entries) as entries:
        if name in entries:
            remedy = f"Type another name, or `llm gpt-oss keys revoke {name}` first."
            raise BadRequest(f"There is a key called {name} already.", param="name", remedy=remedy)
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entries[name] = {"sha256": hash_key(made), "admin": admin, "created": created}
    return made


def revoke(name: str) -> None:
    "BadRequest if there is no such key."
    with edit_json(path(), _entries) as entries:
        if name not in entries:
            known = f"There are: {', '.join(entries)}." if entries else "There is none."
            raise BadRequest(f"No key is called {name}.", param="name", remedy=known)
        del entries[name]


def _entries() -> dict[str, dict[str, Any]]:
    return {key.name: {k: v for k, v in asdict(key).items() if k != "name"} for key in read()}


class KeyRing:
    """The keys as they are now: the file is read again when it has changed.

    `wanted` once there was a key, and from then on: who revokes the last one does not mean to let everybody
    in.
    """

    def __init__(self, given: str | None = None) -> None:
        "`given` is the hash of a key that is in no file."
        self._path = path()
        self._given = () if given is None else (Key(COMMAND_LINE_KEY, given, admin=True),)
        self._seen: object = None
        self._keys: tuple[Key, ...] | GptOssError = ()
        self.wanted = False
        self.current()

    def current(self) -> tuple[Key, ...]:
        "Raises GptOssError where the file cannot be used."
        if (version := _version(self._path)) != self._seen:
            self._seen, self._keys = version, _read_or_error()
        if isinstance(self._keys, GptOssError):
            raise self._keys
        everybody = (*self._given, *self._keys)
        self.wanted = self.wanted or bool(everybody)
        return everybody


def _version(file: Path) -> object:
    "Another one whenever the file was written: a file that replaces another is not the same inode."
    try:
        status = os.stat(file)
    except OSError as problem:
        return problem.errno
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read_or_error() -> tuple[Key, ...] | GptOssError:
    try:
        return read()
    except GptOssError as problem:
        return problem
