from __future__ import annotations

import json

import llm
import pytest
from commands import run

from llm_gpt_oss import registry


def test_models_are_listed_added_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "tiny")
    added = run("models", "add", "gpt-oss-safeguard:20b", "--alias", "guard", "--alias", "g")
    assert added.stderr == "Added gpt-oss-safeguard:20b. Type `llm -m guard` to run it.\n"
    assert run("models", "add", "a/b").stderr == "Added a/b. Type `llm -m a/b` to run it.\n"
    assert run("models", "list").stdout.splitlines() == [
        "tag                      aliases         from",
        "gpt-oss:20b              gpt-oss-20b     built in",
        "gpt-oss:120b             gpt-oss-120b    built in",
        "gpt-oss-safeguard:20b    guard, g        added",
        "a/b                                      added",
        "tiny                     gpt-oss         LOCAL_LLM_MODEL",
    ]
    assert run("models", "remove", "gpt-oss-safeguard:20b").stderr == "Removed gpt-oss-safeguard:20b.\n"
    assert json.loads(run("models", "list", "--json").stdout)[2:] == [
        {"tag": "a/b", "aliases": [], "from": "added"},
        {"tag": "tiny", "aliases": ["gpt-oss"], "from": "LOCAL_LLM_MODEL"},
    ]


def test_a_name_that_llm_has_for_something_else_is_no_alias() -> None:
    result = run("models", "add", "tiny", "--alias", "gpt-4o")
    assert result.exit_code == 1
    assert result.stderr == "Error: gpt-4o already means another plugin's gpt-4o. Type another alias.\n"
    assert registry.read() == {}


@pytest.mark.parametrize("tag", ["gpt-4o", "4o"])
def test_nor_is_it_a_tag(tag: str) -> None:
    result = run("models", "add", tag)
    assert (result.exit_code, registry.read()) == (1, {})
    assert result.stderr == (
        f"Error: {tag} already means another plugin's gpt-4o. Add it under another: `ollama cp {tag} NAME`.\n"
    )


def test_the_list_has_the_aliases_of_llm() -> None:
    llm.set_alias("fast", "gpt-oss:20b")
    first, *_ = json.loads(run("models", "list", "--json").stdout)
    assert {*first["aliases"]} == {"gpt-oss", "gpt-oss-20b", "fast"}


def test_our_own_alias_may_be_moved() -> None:
    assert run("models", "add", "tiny", "--alias", "gpt-oss").exit_code == 0
    assert registry.read() == {"tiny": ["gpt-oss"]}


def test_a_broken_file_is_named_where_it_is_used() -> None:
    registry.path().write_text("{")
    result = run("models", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(registry.path()) in result.stderr
