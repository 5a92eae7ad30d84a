"""API keys. Each has a name, and only its hash is stored.

The keys are in `gpt-oss-keys.json` in llm's user directory, which only its owner can read. It is a JSON
object: each name has an object with the hash (`sha256`), `admin`, when it was `created`, and the `actor`
under which the requests with this key are logged.
"""

from __future__ import annotations

import errno
import hmac
import json
import os
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import llm

from llm_gpt_oss.catalog.json_file import edit_json
from llm_gpt_oss.errors import BadRequest, GptOssError

from ..key_hash import hash_key

PREFIX = "sk-oss-"
# The name of the key in `serve --key` or LLM_GPT_OSS_PROXY_KEY. `add` does not allow it.
COMMAND_LINE_KEY = "--key"
# The actor of all clients of other machines that need no key.
OUTSIDE = "--allow-unauthenticated"


@dataclass(frozen=True, slots=True)
class Key:
    """`sha256` is the hash of the key's text. An admin may see and change everybody's requests, not only its
    own. `actor` identifies the client in the log: a name can be given to somebody else later.
    """

    name: str
    sha256: str
    admin: bool
    created: str | None
    actor: str


def find_key(key: str, keys: Iterable[Key]) -> Key | None:
    "Return the entry of this key, or None. The search takes the same time whether the key is valid or not."
    sha256 = hash_key(key)
    matches = [known for known in keys if hmac.compare_digest(sha256, known.sha256)]
    return matches[0] if matches else None


def path() -> Path:
    "Return the path of the file, which need not exist."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder / "gpt-oss-keys.json"


def read() -> tuple[Key, ...]:
    "Return all keys in the order in which they were added. Raises GptOssError if the file cannot be used."
    try:
        entries = json.loads(path().read_bytes())
        return tuple(_key(name, **entry) for name, entry in entries.items())
    except FileNotFoundError:
        return ()
    except OSError as problem:
        raise _file_error(f"it cannot be read ({problem.strerror})") from problem
    except (ValueError, AttributeError, TypeError) as problem:
        raise _file_error("it does not have the expected form") from problem


def _file_error(reason: str) -> GptOssError:
    return GptOssError(
        f"{path()}, the file of keys, cannot be used: {reason}.",
        remedy="Repair it, or delete it and type `llm gpt-oss keys add NAME` for each.",
    )


def _key(name: str, sha256: str, admin: bool, created: str, actor: str | None = None) -> Key:
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError
    # Keys that were made before keys had an actor are logged under their name.
    return Key(name, sha256, admin is True, created, name if actor is None else str(actor))


def add(name: str, *, admin: bool = False) -> str:
    """Add a key and return its text, which cannot be read again. Raises BadRequest for an invalid or used
    name."""
    if not re.fullmatch(r"[A-Za-z0-9_][\w.@-]{0,63}", name, re.ASCII):
        remedy = "Use up to 64 letters, digits and any of . _ @ -"
        raise BadRequest(f"{name!r} is not a valid name for a key.", param="name", remedy=remedy)
    key = PREFIX + secrets.token_urlsafe(32)
    with edit_json(path(), _entries) as entries:
        if name in entries:
            remedy = f"Type another name, or `llm gpt-oss keys revoke {name}` first."
            raise BadRequest(f"There is a key called {name} already.", param="name", remedy=remedy)
        actor = f"{name}:{secrets.token_hex(4)}"
        entries[name] = {"sha256": hash_key(key), "admin": admin, "created": _now(), "actor": actor}
    return key


def rotate(name: str) -> str:
    """Replace a key by a new one of the same client, and return its text.

    Raises BadRequest if there is none with this name.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    with edit_json(path(), _entries) as entries:
        _check_exists(name, entries)
        entries[name] |= {"sha256": hash_key(key), "created": _now()}
    return key


def revoke(name: str) -> None:
    "Delete a key. Raises BadRequest if there is none with this name."
    with edit_json(path(), _entries) as entries:
        _check_exists(name, entries)
        del entries[name]


def _check_exists(name: str, entries: Collection[str]) -> None:
    if name not in entries:
        remedy = f"The keys are: {', '.join(entries)}." if entries else "There are no keys."
        raise BadRequest(f"No key is called {name}.", param="name", remedy=remedy)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _entries() -> dict[str, dict[str, Any]]:
    return {key.name: {k: v for k, v in asdict(key).items() if k != "name"} for key in read()}


class KeyRing:
    """The current keys. The file is read again whenever it has changed.

    `has_keys` stays true after the last key was revoked, and after a restart too: revoking a key should not
    let everybody in. It is false only as long as there is no file of keys.
    """

    def __init__(self, command_line_hash: str | None = None, *, allow_unauthenticated: bool = False) -> None:
        """`command_line_hash` is the hash of a key that is not in the file. `allow_unauthenticated` lets
        clients of other machines use the server while there are no keys."""
        self._path = path()
        self._allow_unauthenticated = allow_unauthenticated
        self._command_line = (
            ()
            if command_line_hash is None
            else (Key(COMMAND_LINE_KEY, command_line_hash, admin=True, created=None, actor=COMMAND_LINE_KEY),)
        )
        self._version: object = None
        self._keys: tuple[Key, ...] | GptOssError = ()
        self.has_keys = False
        self.current()

    def current(self) -> tuple[Key, ...]:
        "Return all keys. Raises GptOssError if the file cannot be used."
        if (version := _version(self._path)) != self._version:
            self._version, self._keys = version, _read_or_error()
        if isinstance(self._keys, GptOssError):
            raise self._keys
        keys = (*self._command_line, *self._keys)
        self.has_keys = self.has_keys or bool(keys) or version != errno.ENOENT
        return keys

    def requires_key(self, *, remote: bool) -> bool:
        """Return whether a client has to send a key. `remote` is whether it may be on another machine.

        While the file cannot be used, every client has to, and no key is valid.
        """
        try:
            self.current()
        except GptOssError:
            return True
        return self.has_keys or (remote and not self._allow_unauthenticated)


def _version(file: Path) -> object:
    """Return a value that changes whenever the file is written. A file that replaces another has another
    inode."""
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
