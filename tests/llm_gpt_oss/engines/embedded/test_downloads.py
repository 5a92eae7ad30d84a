from __future__ import annotations

from pathlib import Path

import pytest
from support.ollama_store import add_model

from llm_gpt_oss.engines.embedded.downloads import find_download

LIBRARY = "registry.ollama.ai/library/"


@pytest.mark.parametrize(
    ("tag", "manifest"),
    [
        ("gpt-oss:20b", LIBRARY + "gpt-oss:20b"),
        ("gpt-oss", LIBRARY + "gpt-oss:latest"),
        ("me/tune:1", "registry.ollama.ai/me/tune:1"),
        ("https://hf.co/me/tune:Q4", "hf.co/me/tune:Q4"),
    ],
)
def test_file_of_a_tag(tag: str, manifest: str, tmp_path: Path) -> None:
    blob = add_model(tmp_path, manifest, b"x")
    assert find_download(tag, [tmp_path / "elsewhere", tmp_path]) == blob
    assert find_download("gpt-oss:120b", [tmp_path]) is None


def test_manifest_without_a_model_file(tmp_path: Path) -> None:
    add_model(tmp_path, LIBRARY + "gpt-oss:20b", b"x").unlink()
    assert find_download("gpt-oss:20b", [tmp_path]) is None
    adapter = "application/vnd.ollama.image.adapter"
    add_model(tmp_path, LIBRARY + "gpt-oss:20b", b"x", media_type=adapter)
    assert find_download("gpt-oss:20b", [tmp_path]) is None
    (tmp_path / "manifests" / LIBRARY / "gpt-oss" / "20b").write_text("[]")
    assert find_download("gpt-oss:20b", [tmp_path]) is None
