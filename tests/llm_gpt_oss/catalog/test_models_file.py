from __future__ import annotations

import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import llm
import pytest
from llm.models import ModelWithAliases

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import (
    EngineBinding,
    ModelEntry,
    model_entries,
    models_to_register,
    resolve_tag,
)
from llm_gpt_oss.errors import BadRequest, GptOssError

B20, B120 = "gpt-oss:20b", "gpt-oss:120b"
BUILT_IN = [ModelEntry(B20, ("gpt-oss", "gpt-oss-20b")), ModelEntry(B120, ("gpt-oss-120b",))]
WITHOUT = [ModelEntry(B20, ("gpt-oss-20b",)), BUILT_IN[1]]


@pytest.mark.parametrize(
    ("local", "added", "taken", "expected"),
    [
        pytest.param(None, {}, [], BUILT_IN, id="built in"),
        pytest.param(B20, {}, [], BUILT_IN, id="local is the default already"),
        pytest.param("mine", {}, [], [*WITHOUT, ModelEntry("mine", ("gpt-oss",))], id="local"),
        pytest.param(
            B120, {}, [], [WITHOUT[0], ModelEntry(B120, ("gpt-oss-120b", "gpt-oss"))], id="local is built in"
        ),
        pytest.param(
            "gpt-oss", {}, [], [*WITHOUT, ModelEntry("gpt-oss", ())], id="local is called as the alias"
        ),
        pytest.param(None, {"a/b": ["x", "y"]}, [], [*BUILT_IN, ModelEntry("a/b", ("x", "y"))], id="added"),
        pytest.param(
            None, {"a": ["gpt-oss"]}, [], [*WITHOUT, ModelEntry("a", ("gpt-oss",))], id="added moves an alias"
        ),
        pytest.param(
            "b",
            {"a": ["gpt-oss"]},
            [],
            [*WITHOUT, ModelEntry("a", ()), ModelEntry("b", ("gpt-oss",))],
            id="local is stronger than added",
        ),
        pytest.param(
            "a", {"a": ["x"]}, [], [*WITHOUT, ModelEntry("a", ("gpt-oss", "x"))], id="local is added too"
        ),
        pytest.param(
            None,
            {"gpt-oss-20b": []},
            [],
            [ModelEntry(B20, ("gpt-oss",)), BUILT_IN[1], ModelEntry("gpt-oss-20b", ())],
            id="a tag",
        ),
        pytest.param(None, {"a": ["x"]}, ["gpt-oss", "x", B120], [*WITHOUT, ModelEntry("a", ())], id="taken"),
    ],
)
def test_entries(
    local: str | None, added: dict[str, list[str]], taken: list[str], expected: list[ModelEntry]
) -> None:
    found = model_entries(local, added, taken)
    assert [(tag, {*names}) for tag, names, _ in found] == [(tag, {*names}) for tag, names, _ in expected]


def test_no_name_is_given_twice() -> None:
    found = model_entries("b", {"a": ["x", "gpt-oss"], "b": ["x", "gpt-oss-20b"], B20: ["y"]})
    names = [name for entry in found for name in (entry.tag, *entry.aliases)]
    assert len(names) == len({*names})


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        (None, "mine"),
        ("gpt-oss", "mine"),
        ("gpt-oss-20b", B20),
        ("x", "a/b"),
        ("a/b", "a/b"),
        ("other:1", "other:1"),
    ],
)
def test_what_a_name_means(name: str | None, tag: str) -> None:
    assert resolve_tag(name, model_entries("mine", {"a/b": ["x"]})) == tag


def test_a_name_that_means_nothing_has_to_be_a_tag() -> None:
    with pytest.raises(BadRequest, match="'not one'"):
        resolve_tag("not one", model_entries(None, {}))


class Other(llm.Model):
    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def execute(self, *_: Any) -> Any:
        raise NotImplementedError


def other(model_id: str, *aliases: str) -> ModelWithAliases:
    return ModelWithAliases(Other(model_id), None, [*aliases])


@pytest.mark.parametrize(
    ("others", "aliases"),
    [
        pytest.param([], {"gpt-oss", "gpt-oss-20b"}, id="alone"),
        pytest.param([other("gpt-4o", "gpt-oss")], {"gpt-oss-20b"}, id="the user's alias stays the user's"),
        pytest.param(
            [other("gpt-oss-20b-cloud"), other("x/gpt-oss-20b", "gpt-oss")], {"gpt-oss-20b"}, id="elsewhere"
        ),
        pytest.param(
            [other("gpt-oss:latest", "gpt-oss")], {"gpt-oss", "gpt-oss-20b"}, id="an older llm-ollama"
        ),
        pytest.param(
            [other("ollama/gpt-oss:20b", "ollama/gpt-oss")], {"gpt-oss", "gpt-oss-20b"}, id="llm-ollama"
        ),
    ],
)
def test_registrations_leave_what_is_not_theirs(others: list[ModelWithAliases], aliases: set[str]) -> None:
    assert {*models_to_register(None, others)[0].aliases} == aliases


@pytest.mark.parametrize(
    ("local", "file", "warning"),
    [
        pytest.param(
            "gpt-4o", {}, "LOCAL_LLM_MODEL is not used: gpt-4o is another plugin's model", id="local"
        ),
        pytest.param(None, {"gpt-4o": ["x"]}, "Type `llm gpt-oss models remove gpt-4o`", id="added"),
    ],
)
def test_a_tag_that_is_another_plugins_model_is_left_to_it(
    local: str | None, file: dict[str, list[str]], warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    models_file._warn_once.cache_clear()
    models_file.models_path().write_text(json.dumps(file))
    for _ in range(2):
        assert models_to_register(local, [other("gpt-4o")]) == BUILT_IN
    said = capsys.readouterr().err
    assert (warning in said, said.count("Warning: ")) == (True, 1)


def test_a_tag_of_llm_ollama_is_ours_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Other, "__module__", "llm_ollama")
    assert models_to_register("my-tune:1", [other("my-tune:1")]) == [
        *WITHOUT,
        ModelEntry("my-tune:1", ("gpt-oss",)),
    ]


def test_of_two_models_under_one_alias_the_later_has_it() -> None:
    assert resolve_tag("x", [ModelEntry(B20, ("x",)), ModelEntry("a", ("x",))]) == "a"
    assert resolve_tag(None, [ModelEntry(B20, ())]) == B20


def test_the_file_starts_empty_and_keeps_what_is_added() -> None:
    assert models_file.read_aliases() == {}
    models_file.add("b/tune")
    models_file.add("a", ["x", "y"])
    models_file.add("b/tune", ["z", "y"])
    assert models_file.read_aliases() == {"b/tune": ["z", "y"], "a": ["x"]}
    assert [entry.tag for entry in models_to_register(None, [])] == [B20, B120, "b/tune", "a"]
    models_file.remove("b/tune")
    assert models_file.read_aliases() == {"a": ["x"]}


def test_the_file_is_for_its_owner_and_nothing_lies_beside_it() -> None:
    models_file.add("a")
    assert stat.S_IMODE(models_file.models_path().stat().st_mode) == 0o600
    assert os.listdir(models_file.models_path().parent) == [models_file.models_path().name]


def test_tags_that_are_added_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = models_file._read_file

    def read_slowly() -> models_file.Models:
        models = read()
        time.sleep(0.02)
        return models

    monkeypatch.setattr(models_file, "_read_file", read_slowly)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(models_file.add, "abcd"))
    assert sorted(read()) == [*"abcd"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfile").write_text("{}")
    models_file.models_path().symlink_to(tmp_path / "dotfile")
    models_file.add("a")
    assert models_file.models_path().is_symlink()
    assert json.loads((tmp_path / "dotfile").read_text()) == {"a": []}


def test_remove_says_what_there_is() -> None:
    with pytest.raises(BadRequest, match="None has been added"):
        models_file.remove("a")
    models_file.add("b")
    with pytest.raises(BadRequest, match="Added are: b"):
        models_file.remove("a")


@pytest.mark.parametrize("alias", ["", "two words", "-m", "a\tb"])
def test_an_alias_is_a_word(alias: str) -> None:
    with pytest.raises(BadRequest, match="alias"):
        models_file.add("a", [alias])
    assert models_file.read_aliases() == {}


def test_a_bad_tag_is_not_written() -> None:
    with pytest.raises(BadRequest):
        models_file.add("no tag")
    assert not models_file.models_path().exists()


@pytest.mark.parametrize("text", ['{"a": ["x"]', "[]", '{"a": "x"}', '{"a": [1]}', "\xff"])
def test_a_broken_file_harms_nobody_who_does_not_use_it(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    models_file._warn_once.cache_clear()
    models_file.models_path().write_bytes(text.encode("latin-1"))
    assert models_to_register(None, []) == models_to_register(None, []) == BUILT_IN
    said = capsys.readouterr().err
    assert said.count("Warning: ") == 1
    assert str(models_file.models_path()) in said
    for use in (models_file.read_aliases, lambda: models_file.add("b"), lambda: models_file.remove("a")):
        with pytest.raises(GptOssError, match="Repair it, or delete it"):
            use()
    assert models_file.models_path().read_bytes() == text.encode("latin-1")


def test_a_file_that_cannot_be_read() -> None:
    models_file.models_path().mkdir()
    with pytest.raises(GptOssError, match="cannot be read: Is a directory"):
        models_file.read_aliases()


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_cannot_be_written_leaves_the_old_file(
    problem: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    models_file.add("a")

    def replace(*_: object) -> None:
        raise problem

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(GptOssError if isinstance(problem, OSError) else KeyboardInterrupt):
        models_file.add("b")
    assert models_file.read_aliases() == {"a": []}
    assert os.listdir(models_file.models_path().parent) == [models_file.models_path().name]


BOUND = EngineBinding("embedded", {"gguf": "/x.gguf", "threads": 2})


def test_a_model_that_is_bound_to_an_engine() -> None:
    models_file.add("a", ["x"])
    models_file.add("b", ["y"], BOUND)
    assert json.loads(models_file.models_path().read_text()) == {
        "a": ["x"],
        "b": {"engine": "embedded", "gguf": "/x.gguf", "threads": 2, "aliases": ["y"]},
    }
    assert (models_file.read_aliases(), models_file.read_bindings()) == (
        {"a": ["x"], "b": ["y"]},
        {"b": BOUND},
    )
    assert models_to_register(None, [])[-2:] == [ModelEntry("a", ("x",)), ModelEntry("b", ("y",), BOUND)]
    models_file.add("b", ["x"], EngineBinding("ollama", {}))
    assert models_file.read_aliases() == {"a": [], "b": ["y", "x"]}
    assert models_file.read_bindings() == {"b": EngineBinding("ollama", {})}


def test_a_built_in_model_may_be_bound_too() -> None:
    models_file.add(B20, [], BOUND)
    assert {entry.tag: entry.binding for entry in models_to_register(None, [])}[B20] == BOUND


@pytest.mark.parametrize("about", [{"aliases": "x"}, {"engine": 1}, 5])
def test_a_file_that_says_nonsense_of_a_model(about: object) -> None:
    models_file.models_path().write_text(json.dumps({"a": about}))
    with pytest.raises(GptOssError, match="'a' should have"):
        models_file.read_bindings()
