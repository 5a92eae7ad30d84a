from __future__ import annotations

import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm_gpt_oss.errors import BadRequest, GptOssError
from proxy.http import api_keys
from proxy.http.api_keys import (
    COMMAND_LINE_KEY,
    OUTSIDE,
    Key,
    KeyRing,
    add,
    find_key,
    read,
    revoke,
    rotate,
)
from proxy.key_hash import hash_key


def test_only_the_hash_of_a_key_is_stored() -> None:
    key = add("app")
    assert key.startswith("sk-oss-")
    assert len(key) == 50
    (kept,) = read()
    assert (kept.name, kept.sha256, kept.admin) == ("app", hash_key(key), False)
    assert key not in api_keys.path().read_text()
    assert key != add("other")


def test_only_the_owner_can_read_the_file() -> None:
    os.umask(before := os.umask(0))
    add("app")
    os.umask(before)
    assert stat.S_IMODE(api_keys.path().stat().st_mode) == 0o600
    assert [entry.name for entry in api_keys.path().parent.iterdir()] == ["gpt-oss-keys.json"]


def test_find_key() -> None:
    made = {name: add(name, admin=name == "me") for name in ("app", "me")}
    assert find_key(made["app"], read()) == read()[0]
    assert find_key(made["me"], read()) == read()[1]
    assert [key.admin for key in read()] == [False, True]
    assert find_key("sk-oss-", read()) is None
    assert find_key(made["app"][:-1], read()) is None
    assert find_key(read()[0].sha256, read()) is None


def test_revoke() -> None:
    key = add("app")
    add("other")
    revoke("app")
    assert [left.name for left in read()] == ["other"]
    assert find_key(key, read()) is None


def test_a_later_key_of_the_same_name_is_somebody_else() -> None:
    add("app")
    first = read()[0].actor
    revoke("app")
    add("app")
    (second,) = read()
    assert first.startswith("app:")
    assert second.actor.startswith("app:")
    assert second.actor != first


def test_rotate() -> None:
    old = add("app", admin=True)
    (before,) = read()
    new = rotate("app")
    (after,) = read()
    assert find_key(old, read()) is None
    assert find_key(new, read()) == after
    assert (after.actor, after.admin, after.name) == (before.actor, True, "app")
    with pytest.raises(BadRequest, match=r"No key is called other\. The keys are: app\."):
        rotate("other")


@pytest.mark.parametrize("name", ["", "-x", "--key", OUTSIDE, "a b", "a/b", "é", "a" * 65, "a\n"])
def test_invalid_name(name: str) -> None:
    with pytest.raises(BadRequest, match="is not a valid name for a key"):
        add(name)
    assert not api_keys.path().exists()


def test_a_name_is_used_once() -> None:
    add("app")
    before = api_keys.path().read_text()
    with pytest.raises(BadRequest, match=r"There is a key called app already\..*keys revoke app"):
        add("app")
    assert api_keys.path().read_text() == before


def test_revoke_unknown_name() -> None:
    with pytest.raises(BadRequest, match=r"No key is called app\. There are no keys\."):
        revoke("app")
    add("one")
    with pytest.raises(BadRequest, match=r"The keys are: one\."):
        revoke("app")


GOOD = {"sha256": "0" * 64, "admin": False, "created": "2026-01-01"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"app": 1}',
        '{"app": {}}',
        json.dumps({"app": {**GOOD, "more": 1}}),
        json.dumps({"app": {**GOOD, "sha256": ""}}),
        json.dumps({"app": {**GOOD, "sha256": 5}}),
    ],
)
def test_invalid_file(text: str) -> None:
    api_keys.path().write_text(text)
    with pytest.raises(GptOssError, match=r"the file of keys, cannot be used.*keys add NAME"):
        read()


def test_admin_must_be_true() -> None:
    api_keys.path().write_text(json.dumps({"app": {**GOOD, "admin": "false"}}))
    assert read() == (Key("app", "0" * 64, False, "2026-01-01", "app"),)


def test_unreadable_file() -> None:
    api_keys.path().mkdir()
    with pytest.raises(
        GptOssError, match=r"cannot be read \(Is a directory\)\. Repair it, or delete it and type"
    ):
        read()


def test_keys_added_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly() -> tuple[Key, ...]:
        found = read()
        time.sleep(0.02)
        return found

    monkeypatch.setattr(api_keys, "read", slowly)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(add, "abcd"))
    assert [find_key(key, read()).name for key in made] == [*"abcd"]  # type: ignore[union-attr]


def test_unwritable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    add("app")
    before = api_keys.path().read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GptOssError, match="cannot be written: No space left on device"):
        add("other")
    assert api_keys.path().read_text() == before
    assert len([*api_keys.path().parent.iterdir()]) == 1


def test_the_ring_reads_a_changed_file() -> None:
    ring = KeyRing()
    assert (ring.current(), ring.has_keys) == ((), False)
    add("app")
    assert [key.name for key in ring.current()] == ["app"]
    revoke("app")
    assert ring.current() == ()
    assert ring.has_keys, "who revokes the last key lets nobody in"
    assert KeyRing().has_keys, "not even after a restart"
    api_keys.path().unlink()
    assert not KeyRing().has_keys


def test_the_ring_reads_an_unchanged_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    add("app")
    ring = KeyRing()
    monkeypatch.setattr(api_keys, "read", lambda: pytest.fail("nothing has changed"))
    assert [key.name for key in ring.current()] == ["app"]


def test_command_line_key() -> None:
    ring = KeyRing(hash_key("secret"))
    assert ring.has_keys
    add("app")
    assert [key.name for key in ring.current()] == [COMMAND_LINE_KEY, "app"]
    assert find_key("secret", ring.current()) == Key(
        COMMAND_LINE_KEY, hash_key("secret"), admin=True, created=None, actor=COMMAND_LINE_KEY
    )


@pytest.mark.parametrize(
    ("allow_unauthenticated", "remote", "required"),
    [(False, False, False), (False, True, True), (True, False, False), (True, True, False)],
)
def test_requires_key(allow_unauthenticated: bool, remote: bool, required: bool) -> None:
    ring = KeyRing(allow_unauthenticated=allow_unauthenticated)
    assert ring.requires_key(remote=remote) is required
    add("app")
    assert ring.requires_key(remote=remote)
    revoke("app")
    assert ring.requires_key(remote=remote)


def test_an_invalid_file_requires_a_key() -> None:
    ring = KeyRing(allow_unauthenticated=True)
    api_keys.path().write_text("{")
    assert ring.requires_key(remote=False)


def test_the_ring_raises_for_an_invalid_file() -> None:
    ring = KeyRing()
    api_keys.path().write_text("{")
    for _ in range(2):
        with pytest.raises(GptOssError):
            ring.current()
    api_keys.path().unlink()
    assert ring.current() == ()


def test_a_symbolic_link_stays_a_link(tmp_path: object) -> None:
    target = api_keys.path().parent / "elsewhere.json"
    api_keys.path().symlink_to(target)
    add("app")
    assert api_keys.path().is_symlink()
    assert "app" in target.read_text()
