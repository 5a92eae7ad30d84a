from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.engine_prompts import model
from support.hugging_face import bare

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.engines.transformers.model_folder import (
    ModelFolder,
    find_folder,
    weights_location,
    read_folder,
)
from llm_gpt_oss.errors import EngineError, GptOssError, NotGptOss
from llm_gpt_oss.settings import Settings


def test_what_the_config_says(tmp_path: Path) -> None:
    found = read_folder(bare(tmp_path))
    assert found == ModelFolder(str(tmp_path), 1002, 131072, 2 * 2 * 8 * 4 * 64)
    assert found.required_memory(100, packed=False) == 1002 + 100 * 8192


def test_packed_weights_take_more_where_they_are_unpacked(tmp_path: Path) -> None:
    found = read_folder(bare(tmp_path, quantization_config={"quant_method": "mxfp4"}))
    assert found.packed_weights == 8 * 4 * 3 * 256 * 128
    assert found.required_memory(0, packed=True) == 1002
    assert found.required_memory(0, packed=False) == 1002 + int(found.packed_weights * 11.75 / 8)


def test_gpt_oss_20b_needs_three_times_its_size_unpacked(tmp_path: Path) -> None:
    facts = {
        "num_hidden_layers": 24,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "num_local_experts": 32,
        "num_key_value_heads": 8,
    }
    found = read_folder(bare(tmp_path, quantization_config={"quant_method": "mxfp4"}, **facts))
    assert 27e9 < found.required_memory(0, packed=False) < 29e9, "13.8 GB of files are 41.7 GB then"


def test_weights_in_several_files(tmp_path: Path) -> None:
    bare(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (tmp_path / "model-1.safetensors").write_bytes(b"1" * 10)
    with pytest.raises(GptOssError, match=r"model-2\.safetensors cannot be read: No such file"):
        read_folder(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"2" * 20)
    assert read_folder(tmp_path).size == 32
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(GptOssError, match=r"model\.safetensors cannot be read"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    (bare(tmp_path) / name).unlink()
    with pytest.raises(GptOssError, match=f"{name} cannot be read: No such file"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ('{"model_type": "llama"}', NotGptOss, "of the family llama, and only gpt-oss reads harmony"),
        ("[]", NotGptOss, "of the family None"),
        ("{", GptOssError, "is no JSON"),
        ('{"model_type": "gpt_oss"}', GptOssError, "config.json cannot be used: KeyError"),
    ],
)
def test_another_config(tmp_path: Path, text: str, error: type[GptOssError], said: str) -> None:
    (bare(tmp_path) / "config.json").write_text(text)
    with pytest.raises(error, match=said):
        read_folder(tmp_path)


def test_which_folder_is_meant(tmp_path: Path) -> None:
    assert weights_location(model("transformers", weights="a/b")) == "a/b"
    settings = Settings.from_env({"LLM_GPT_OSS_ENGINE": "transformers"})
    assert weights_location(BoundModel("gpt-oss:120b", settings)) == "openai/gpt-oss-120b"
    with pytest.raises(GptOssError, match="models add tiny --transformers FOLDER"):
        weights_location(model("transformers"))
    assert find_folder(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["nowhere", "./a", "/a/b", "~/x", "a/b/c"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(GptOssError, match=f"There is no folder {name}"):
        find_folder(name)


def hub(monkeypatch: pytest.MonkeyPatch, **has: Any) -> list[dict[str, Any]]:
    "The cache of Hugging Face, as its package tells of it."
    asked: list[dict[str, Any]] = []

    def snapshot_download(name: str, **how: Any) -> str:
        asked.append(how)
        if name not in has.get("names", ()):
            raise FileNotFoundError("LocalEntryNotFoundError is one of these")
        return str(has["path"])

    module = ModuleType("huggingface_hub")
    module.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return asked


def test_what_hugging_face_has_downloaded_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hub(monkeypatch, names=["openai/gpt-oss-20b"], path=tmp_path)
    assert find_folder("openai/gpt-oss-20b") == tmp_path
    with pytest.raises(GptOssError, match=r"is not on this machine. Type `hf download openai/gpt-oss-120b"):
        find_folder("openai/gpt-oss-120b")
    assert asked == [{"local_files_only": True}] * 2, "nothing is downloaded"


def test_without_its_package_no_id_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(EngineError, match=r"llm install 'llm-gpt-oss\[transformers\]'"):
        find_folder("openai/gpt-oss-20b")
