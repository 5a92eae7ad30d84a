from __future__ import annotations

from pathlib import Path

import pytest
from support import tiny
from support.gguf_files import gguf_header

from llm_gpt_oss.engines.embedded.gguf import check_loadable, read_header
from llm_gpt_oss.engines.gguf_header import GgufHeader
from llm_gpt_oss.errors import GptOssError, NotGptOss

METADATA = {
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


def test_tiny_model() -> None:
    header = read_header(tiny.FILE)
    assert header == GgufHeader(
        "gpt-oss",
        tiny.FILE.stat().st_size,
        131072,
        layers=8,
        kv_bytes_per_token=1024,
        sliding_window=128,
        embedding_length=256,
    )


def test_memory_of_gpt_oss_20b(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(gguf_header(METADATA))
    header = read_header(file)
    assert (header.trained_context, header.layers, header.kv_bytes_per_token) == (131072, 24, 2048)
    # Twelve layers keep the whole context, twelve keep 128 tokens: 24 KB for a token of context.
    assert header.required_memory(8192) - header.size == 2048 * 12 * (8192 + 128)
    assert header.required_memory(64) - header.size == 2048 * 24 * 64


def test_vocabulary_before_the_description_of_the_model(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(
        gguf_header({"tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.add_bos_token": False, **METADATA})
    )
    assert read_header(file).layers == 24


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04", id="another format"),
        pytest.param(gguf_header({}, version=1), id="old version"),
        pytest.param(gguf_header({}, keys=10**9), id="too many keys"),
        pytest.param(gguf_header(METADATA)[:100], id="cut"),
        pytest.param(gguf_header({"x": 1}).replace(b"\x04\0\0\0\x01", b"\x63\0\0\0\x01"), id="unknown type"),
        pytest.param(
            gguf_header({"x": "y"}).replace(b"\1\0\0\0\0\0\0\0y", b"\xff" * 8 + b"y"), id="text too long"
        ),
        pytest.param(gguf_header({"x": []})[:-8] + b"\xff" * 8, id="list too long"),
    ],
)
def test_not_a_gguf_file(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(data)
    with pytest.raises(GptOssError, match=r"x\.gguf is not a readable GGUF file"):
        read_header(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match="No such file"):
        read_header(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("architecture", "error", "message"),
    [("gptoss", GptOssError, "Ollama's own layout"), ("llama", NotGptOss, "of the family llama")],
)
def test_models_that_llama_cpp_cannot_load(architecture: str, error: type[GptOssError], message: str) -> None:
    check_loadable(Path("x.gguf"), GgufHeader("gpt-oss", 1))
    with pytest.raises(error, match=message):
        check_loadable(Path("x.gguf"), GgufHeader(architecture, 1))
