from __future__ import annotations

import json

from support.commands import run

from proxy.http.api_keys import path, read
from proxy.key_hash import hash_key


def test_a_key_is_shown_once() -> None:
    result = run("keys", "add", "app")
    assert hash_key(result.stdout.strip()) == read()[0].sha256
    assert "Only its hash is kept" in result.stderr
    for command in (["keys", "list"], ["keys", "list", "--json"], ["keys", "revoke", "app"]):
        assert result.stdout.strip() not in run(*command).output


def test_list() -> None:
    assert run("keys", "list").stderr == "There are no keys. `llm gpt-oss keys add NAME` makes one.\n"
    assert json.loads(run("keys", "list", "--json").stdout) == []
    run("keys", "add", "app")
    run("keys", "add", "me", "--admin")
    created = read()[0].created
    assert created is not None
    first, second, third = run("keys", "list").stdout.splitlines()
    assert first.split() == ["name", "admin", "created"]
    assert (second.split(), third.split()[:2]) == (["app", created], ["me", "yes"])
    assert json.loads(run("keys", "list", "--json").stdout)[0] == {
        "name": "app",
        "admin": False,
        "created": created,
    }


def test_revoke() -> None:
    run("keys", "add", "app")
    run("keys", "add", "me")
    assert run("keys", "revoke", "app").stderr == "Revoked the key of app.\n"
    last = run("keys", "revoke", "me").stderr
    assert "No keys are left, and servers still ask for one." in last
    assert str(path()) in last
    repeated = run("keys", "revoke", "me")
    assert (repeated.exit_code, repeated.stderr) == (1, "Error: No key is called me. There are no keys.\n")


def test_rotate() -> None:
    old = run("keys", "add", "app").stdout
    result = run("keys", "rotate", "app")
    assert result.stdout != old
    assert hash_key(result.stdout.strip()) == read()[0].sha256
    assert result.stderr == "This is the new key of app. The old one is not valid any more.\n"
    assert run("keys", "rotate", "other").exit_code == 1


def test_invalid_name() -> None:
    assert run("keys", "add", "a b").exit_code == 1
