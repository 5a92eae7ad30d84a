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
WITHOUT_GPT_OSS = [ModelEntry(B20, ("gpt-oss-20b",)), BUILT_IN[1]]


@pytest.mark.parametrize(
    ("local_model", "added", "taken", "expected"),
    [
        pytest.param(None, {}, [], BUILT_IN, id="built in"),
        pytest.param(B20, {}, [], BUILT_IN, id="local model is the default"),
        pytest.param("mine", {}, [], [*WITHOUT_GPT_OSS, ModelEntry("mine", ("gpt-oss",))], id="local model"),
        pytest.param(
            B120,
            {},
            [],
            [WITHOUT_GPT_OSS[0], ModelEntry(B120, ("gpt-oss-120b", "gpt-oss"))],
            id="local model is built in",
        ),
        pytest.param(
            "gpt-oss",
            {},
            [],
            [*WITHOUT_GPT_OSS, ModelEntry("gpt-oss", ())],
            id="local model has the name of the alias",
        ),
        pytest.param(None, {"a/b": ["x", "y"]}, [], [*BUILT_IN, ModelEntry("a/b", ("x", "y"))], id="added"),
        pytest.param(
            None,
            {"a": ["gpt-oss"]},
            [],
            [*WITHOUT_GPT_OSS, ModelEntry("a", ("gpt-oss",))],
            id="added moves an alias",
        ),
        pytest.param(
            "b",
            {"a": ["gpt-oss"]},
            [],
            [*WITHOUT_GPT_OSS, ModelEntry("a", ()), ModelEntry("b", ("gpt-oss",))],
            id="local model wins over added models",
        ),
        pytest.param(
            "a",
            {"a": ["x"]},
            [],
            [*WITHOUT_GPT_OSS, ModelEntry("a", ("gpt-oss", "x"))],
            id="local model is added too",
        ),
        pytest.param(
            None,
            {"gpt-oss-20b": []},
            [],
            [ModelEntry(B20, ("gpt-oss",)), BUILT_IN[1], ModelEntry("gpt-oss-20b", ())],
            id="tag wins over alias",
        ),
        pytest.param(
            None, {"a": ["x"]}, ["gpt-oss", "x", B120], [*WITHOUT_GPT_OSS, ModelEntry("a", ())], id="taken"
        ),
    ],
)
def test_model_entries(
    local_model: str | None, added: dict[str, list[str]], taken: list[str], expected: list[ModelEntry]
) -> None:
    entries = model_entries(local_model, added, taken)
    assert [(tag, {*names}) for tag, names, _ in entries] == [(tag, {*names}) for tag, names, _ in expected]


def test_each_name_belongs_to_one_model() -> None:
    entries = model_entries("b", {"a": ["x", "gpt-oss"], "b": ["x", "gpt-oss-20b"], B20: ["y"]})
    names = [name for entry in entries for name in (entry.tag, *entry.aliases)]
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
def test_resolve_tag(name: str | None, tag: str) -> None:
    assert resolve_tag(name, model_entries("mine", {"a/b": ["x"]})) == tag


def test_unknown_name_must_be_a_valid_tag() -> None:
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
        pytest.param([other("gpt-4o", "gpt-oss")], {"gpt-oss-20b"}, id="alias of the user"),
        pytest.param(
            [other("gpt-oss-20b-cloud"), other("x/gpt-oss-20b", "gpt-oss")],
            {"gpt-oss-20b"},
            id="alias of another server",
        ),
        pytest.param(
            [other("gpt-oss:latest", "gpt-oss")], {"gpt-oss", "gpt-oss-20b"}, id="an older llm-ollama"
        ),
        pytest.param(
            [other("ollama/gpt-oss:20b", "ollama/gpt-oss")], {"gpt-oss", "gpt-oss-20b"}, id="llm-ollama"
        ),
    ],
)
def test_names_of_other_models_are_not_registered(others: list[ModelWithAliases], aliases: set[str]) -> None:
    assert {*models_to_register(None, others)[0].aliases} == aliases


@pytest.mark.parametrize(
    ("local_model", "file", "warning"),
    [
        pytest.param(
            "gpt-4o", {}, "LOCAL_LLM_MODEL is not used: gpt-4o is another plugin's model", id="local model"
        ),
        pytest.param(None, {"gpt-4o": ["x"]}, "Type `llm gpt-oss models remove gpt-4o`", id="added"),
    ],
)
def test_models_of_other_plugins_are_not_replaced(
    local_model: str | None, file: dict[str, list[str]], warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    models_file._warn_once.cache_clear()
    models_file.models_path().write_text(json.dumps(file))
    for _ in range(2):
        assert models_to_register(local_model, [other("gpt-4o")]) == BUILT_IN
    stderr = capsys.readouterr().err
    assert (warning in stderr, stderr.count("Warning: ")) == (True, 1)


def test_models_of_llm_ollama_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Other, "__module__", "llm_ollama")
    assert models_to_register("my-tune:1", [other("my-tune:1")]) == [
        *WITHOUT_GPT_OSS,
        ModelEntry("my-tune:1", ("gpt-oss",)),
    ]


def test_last_model_with_an_alias_wins() -> None:
    assert resolve_tag("x", [ModelEntry(B20, ("x",)), ModelEntry("a", ("x",))]) == "a"
    assert resolve_tag(None, [ModelEntry(B20, ())]) == B20


def test_add_and_remove() -> None:
    assert models_file.read_aliases() == {}
    models_file.add("b/tune")
    models_file.add("a", ["x", "y"])
    models_file.add("b/tune", ["z", "y"])
    assert models_file.read_aliases() == {"b/tune": ["z", "y"], "a": ["x"]}
    assert [entry.tag for entry in models_to_register(None, [])] == [B20, B120, "b/tune", "a"]
    models_file.remove("b/tune")
    assert models_file.read_aliases() == {"a": ["x"]}


def test_only_the_owner_can_read_the_file() -> None:
    models_file.add("a")
    assert stat.S_IMODE(models_file.models_path().stat().st_mode) == 0o600
    assert os.listdir(models_file.models_path().parent) == [models_file.models_path().name]


def test_concurrent_additions_are_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    read = models_file._read_file

    def read_slowly() -> models_file.Models:
        models = read()
        time.sleep(0.02)
        return models

    monkeypatch.setattr(models_file, "_read_file", read_slowly)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(models_file.add, "abcd"))
    assert sorted(read()) == [*"abcd"]


def test_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "dotfile").write_text("{}")
    models_file.models_path().symlink_to(tmp_path / "dotfile")
    models_file.add("a")
    assert models_file.models_path().is_symlink()
    assert json.loads((tmp_path / "dotfile").read_text()) == {"a": []}


def test_removing_an_unknown_tag_lists_the_tags() -> None:
    with pytest.raises(BadRequest, match="No models were added"):
        models_file.remove("a")
    models_file.add("b")
    with pytest.raises(BadRequest, match="The added models are: b"):
        models_file.remove("a")


@pytest.mark.parametrize("alias", ["", "two words", "-m", "a\tb"])
def test_invalid_aliases(alias: str) -> None:
    with pytest.raises(BadRequest, match="alias"):
        models_file.add("a", [alias])
    assert models_file.read_aliases() == {}


def test_invalid_tag_is_not_written() -> None:
    with pytest.raises(BadRequest):
        models_file.add("no tag")
    assert not models_file.models_path().exists()


@pytest.mark.parametrize("text", ['{"a": ["x"]', "[]", '{"a": "x"}', '{"a": [1]}', "\xff"])
def test_invalid_file_is_a_warning_when_registering(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    models_file._warn_once.cache_clear()
    models_file.models_path().write_bytes(text.encode("latin-1"))
    assert models_to_register(None, []) == models_to_register(None, []) == BUILT_IN
    stderr = capsys.readouterr().err
    assert stderr.count("Warning: ") == 1
    assert str(models_file.models_path()) in stderr
    for use in (models_file.read_aliases, lambda: models_file.add("b"), lambda: models_file.remove("a")):
        with pytest.raises(GptOssError, match="Repair it, or delete it"):
            use()
    assert models_file.models_path().read_bytes() == text.encode("latin-1")


def test_unreadable_file() -> None:
    models_file.models_path().mkdir()
    with pytest.raises(
        GptOssError, match=r"cannot be read \(Is a directory\)\. Repair it, or delete it and type"
    ):
        models_file.read_aliases()


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_old_file(problem: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    models_file.add("a")

    def replace(*_: object) -> None:
        raise problem

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(GptOssError if isinstance(problem, OSError) else KeyboardInterrupt):
        models_file.add("b")
    assert models_file.read_aliases() == {"a": []}
    assert os.listdir(models_file.models_path().parent) == [models_file.models_path().name]


BOUND = EngineBinding("embedded", {"gguf": "/x.gguf", "threads": 2})


def test_bound_model() -> None:
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


def test_built_in_model_can_be_bound() -> None:
    models_file.add(B20, [], BOUND)
    assert {entry.tag: entry.binding for entry in models_to_register(None, [])}[B20] == BOUND


@pytest.mark.parametrize("value", [{"aliases": "x"}, {"engine": 1}, 5])
def test_invalid_model_in_the_file(value: object) -> None:
    models_file.models_path().write_text(json.dumps({"a": value}))
    with pytest.raises(GptOssError, match="'a' should have"):
        models_file.read_bindings()
