from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.engine_prompts import model
from support.hugging_face import write_placeholder

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.engines.transformers.model_folder import (
    ModelFolder,
    find_folder,
    read_folder,
    weights_location,
)
from llm_gpt_oss.errors import EngineError, GptOssError, NotGptOss
from llm_gpt_oss.settings import Settings


def test_config(tmp_path: Path) -> None:
    folder = read_folder(write_placeholder(tmp_path))
    assert folder == ModelFolder(
        str(tmp_path), 1002, 131072, 2 * 2 * 8 * 4 * 64, vocabulary=2048, embedding_length=256
    )
    assert folder.required_memory(100, packed=False) == 1002 + 100 * 8192


def test_config_without_the_size_of_the_vocabulary(tmp_path: Path) -> None:
    config = json.loads((write_placeholder(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": None}))
    assert read_folder(tmp_path).vocabulary is None


def test_unpacked_weights_need_more_memory(tmp_path: Path) -> None:
    folder = read_folder(write_placeholder(tmp_path, quantization_config={"quant_method": "mxfp4"}))
    assert folder.packed_weights == 8 * 4 * 3 * 256 * 128
    assert folder.required_memory(0, packed=True) == 1002
    assert folder.required_memory(0, packed=False) == 1002 + int(folder.packed_weights * 11.75 / 8)


def test_gpt_oss_20b_needs_three_times_its_size_unpacked(tmp_path: Path) -> None:
    config = {
        "num_hidden_layers": 24,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "num_local_experts": 32,
        "num_key_value_heads": 8,
    }
    folder = read_folder(write_placeholder(tmp_path, quantization_config={"quant_method": "mxfp4"}, **config))
    assert 27e9 < folder.required_memory(0, packed=False) < 29e9, "13.8 GB of files are 41.7 GB then"


def test_sharded_weights(tmp_path: Path) -> None:
    write_placeholder(tmp_path)
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
def test_error_names_a_missing_file(tmp_path: Path, name: str) -> None:
    (write_placeholder(tmp_path) / name).unlink()
    with pytest.raises(GptOssError, match=f"{name} cannot be read: No such file"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"model_type": "llama"}', NotGptOss, "of the family llama, and only gpt-oss reads harmony"),
        ("[]", NotGptOss, "of the family None"),
        ("{", GptOssError, "is not JSON"),
        ('{"model_type": "gpt_oss"}', GptOssError, "config.json cannot be used: KeyError"),
    ],
)
def test_unusable_config(tmp_path: Path, text: str, error: type[GptOssError], message: str) -> None:
    (write_placeholder(tmp_path) / "config.json").write_text(text)
    with pytest.raises(error, match=message):
        read_folder(tmp_path)


def test_weights_location(tmp_path: Path) -> None:
    assert weights_location(model("transformers", weights="a/b")) == "a/b"
    settings = Settings.from_env({"LLM_GPT_OSS_ENGINE": "transformers"})
    assert weights_location(BoundModel("gpt-oss:120b", settings)) == "openai/gpt-oss-120b"
    with pytest.raises(GptOssError, match="models add tiny --transformers FOLDER"):
        weights_location(model("transformers"))
    assert find_folder(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["nowhere", "./a", "/a/b", "~/x", "a/b/c"])
def test_missing_folder(name: str) -> None:
    with pytest.raises(GptOssError, match=f"There is no folder {name}"):
        find_folder(name)


def fake_hub(monkeypatch: pytest.MonkeyPatch, path: Path, *names: str) -> list[dict[str, Any]]:
    "Replace huggingface_hub by one whose cache has these ids. Returns the options of all calls."
    calls: list[dict[str, Any]] = []

    def snapshot_download(name: str, **options: Any) -> str:
        calls.append(options)
        if name not in names:
            raise FileNotFoundError("LocalEntryNotFoundError is a subclass")
        return str(path)

    module = ModuleType("huggingface_hub")
    module.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return calls


def test_folder_in_the_hugging_face_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_hub(monkeypatch, tmp_path, "openai/gpt-oss-20b")
    assert find_folder("openai/gpt-oss-20b") == tmp_path
    with pytest.raises(GptOssError, match=r"is not on this machine. Type `hf download openai/gpt-oss-120b"):
        find_folder("openai/gpt-oss-120b")
    assert calls == [{"local_files_only": True}] * 2, "nothing is downloaded"


def test_id_without_huggingface_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(EngineError, match=r"llm install 'llm-gpt-oss\[transformers\]'"):
        find_folder("openai/gpt-oss-20b")
