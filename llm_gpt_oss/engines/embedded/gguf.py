"""Read the header of a GGUF file up to the vocabulary."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

from ...errors import GptOssError, NotGptOss
from ..gguf_header import GgufHeader

# Types of values, as numbered in the description of the format.
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# A header with more keys, or longer values before the vocabulary, is treated as damaged.
MAX_KEYS, MAX_LENGTH = 1000, 1 << 20

LLAMA_CPP, OLLAMA = "gpt-oss", "gptoss"


def read_header(path: Path) -> GgufHeader:
    "Raises GptOssError if the file cannot be read or is not a GGUF file."
    try:
        with path.open("rb") as file:
            metadata = _read_metadata(file)
        size = path.stat().st_size
    except OSError as problem:
        raise GptOssError(
            f"{path} cannot be read: {problem.strerror}.",
            remedy="Add the model with another file: `llm gpt-oss models add TAG --gguf FILE`.",
        ) from problem
    except (struct.error, ValueError, KeyError) as problem:
        raise GptOssError(
            f"{path} is not a readable GGUF file: {problem}.",
            remedy="The download may be incomplete. Download it again, or type another file after --gguf.",
        ) from problem
    return GgufHeader.from_metadata(metadata, size)


def check_loadable(path: Path, header: GgufHeader) -> None:
    "Raises NotGptOss for another model, and GptOssError for a gpt-oss that only Ollama can load."
    if header.architecture == LLAMA_CPP:
        return
    if header.architecture == OLLAMA:
        raise GptOssError(
            f"{path} is a gpt-oss in Ollama's own layout, which llama.cpp cannot load.",
            remedy="Run it on Ollama, or download a GGUF file that was made for llama.cpp, "
            "such as ggml-org/gpt-oss-20b-GGUF on Hugging Face, and add it with --gguf.",
        )
    raise NotGptOss(
        f"{path} is a model of the family {header.architecture}, and only gpt-oss reads harmony.",
        remedy="Add a GGUF file of gpt-oss.",
    )


def _read_metadata(file: IO[bytes]) -> dict[str, Any]:
    "Return the metadata before the vocabulary, which usually follows the description of the model."
    if file.read(4) != b"GGUF":
        raise ValueError("it does not start with GGUF")
    version, _, count = _unpack(file, "IQQ")
    if not 2 <= version <= 3 or count > MAX_KEYS:
        raise ValueError(f"version {version} with {count} keys")
    metadata: dict[str, Any] = {}
    for _ in range(count):
        key = _string(file)
        if key.startswith("tokenizer.") and any(name.endswith(".block_count") for name in metadata):
            break
        metadata[key] = _value(file, *_unpack(file, "I"))
    return metadata


def _value(file: IO[bytes], type_: int) -> Any:
    if type_ == STRING:
        return _string(file)
    if type_ == ARRAY:
        item_type, length = _unpack(file, "IQ")
        if length > MAX_LENGTH:
            raise ValueError(f"a list of {length} values")
        return [_value(file, item_type) for _ in range(length)]
    return _unpack(file, NUMBERS[type_])[0]


def _string(file: IO[bytes]) -> str:
    (length,) = _unpack(file, "Q")
    if length > MAX_LENGTH:
        raise ValueError(f"a text of {length} bytes")
    return file.read(length).decode(errors="replace")


def _unpack(file: IO[bytes], form: str) -> tuple[Any, ...]:
    form = "<" + form
    return struct.unpack(form, file.read(struct.calcsize(form)))
