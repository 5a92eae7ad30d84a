from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import tiny
from support.gguf_files import head

from llm_gpt_oss.engines.embedded.gguf import GgufHeader, check_loadable, read_header
from llm_gpt_oss.errors import GptOssError, NotGptOss

TOLD = {
    "general.architecture": "gpt-oss",
    "general.tags": ["a", "b"],
    "gpt-oss.block_count": 24,
    "gpt-oss.context_length": 131072,
    "gpt-oss.attention.head_count_kv": 8,
    "gpt-oss.attention.key_length": 64,
    "gpt-oss.attention.value_length": 64,
    "gpt-oss.attention.sliding_window": 128,
    "gpt-oss.rope.freq_base": 150000.0,
    "tokenizer.ggml.tokens": ["a"],
}


def test_the_tiny_model() -> None:
    found = read_header(tiny.FILE)
    assert found == GgufHeader(
        "gpt-oss", tiny.FILE.stat().st_size, 131072, layers=8, kv_bytes_per_token=1024, sliding_window=128
    )


def test_what_gpt_oss_20b_takes(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(head(TOLD))
    found = read_header(file)
    assert (found.trained_context, found.layers, found.kv_bytes_per_token) == (131072, 24, 2048)
    # Twelve layers keep all, twelve keep 128 tokens: 24 KB a token of context.
    assert found.required_memory(8192) - found.size == 2048 * 12 * (8192 + 128)
    assert found.required_memory(64) - found.size == 2048 * 24 * 64


def test_a_vocabulary_that_comes_first_is_read_past(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(
        head({"tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.add_bos_token": False, **TOLD})
    )
    assert read_header(file).layers == 24


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04", id="another format"),
        pytest.param(head({}, version=1), id="an old version"),
        pytest.param(head({}, keys=10**9), id="too many keys"),
        pytest.param(head(TOLD)[:100], id="cut"),
        pytest.param(head({"x": 1}).replace(b"\x04\0\0\0\x01", b"\x63\0\0\0\x01"), id="an unknown type"),
        pytest.param(
            head({"x": "y"}).replace(b"\1\0\0\0\0\0\0\0y", b"\xff" * 8 + b"y"), id="too long a text"
        ),
        pytest.param(head({"x": []})[:-8] + b"\xff" * 8, id="too long a list"),
    ],
)
def test_what_is_no_gguf_file(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(data)
    with pytest.raises(GptOssError, match=r"x\.gguf is not a readable GGUF file"):
        read_header(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match="No such file"):
        read_header(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [("gptoss", GptOssError, "Ollama's own layout"), ("llama", NotGptOss, "of the family llama")],
)
def test_what_llama_cpp_cannot_load(name: Any, kind: type[GptOssError], said: str) -> None:
    check_loadable(Path("x.gguf"), GgufHeader("gpt-oss", 1))
    with pytest.raises(kind, match=said):
        check_loadable(Path("x.gguf"), GgufHeader(name, 1))
