"What the head of a GGUF file says of the model in it, without reading its vocabulary or its weights."

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any, NamedTuple

from ...errors import GptOssError, NotGptOss

# Types of values, as the format's description numbers them.
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# A head that says more before its vocabulary is none.
MOST_KEYS, LONGEST = 1000, 1 << 20

LLAMA_CPP, OLLAMA = "gpt-oss", "gptoss"


class Head(NamedTuple):
    """`size` is the file's. What it takes in memory for each token of context is `per_token` bytes, for a
    layer that looks back to the beginning; half of the `layers` look back `window` tokens only."""

    architecture: str
    size: int
    trained_context: int = 0
    layers: int = 0
    per_token: int = 0
    window: int = 0

    def memory(self, context: int) -> int:
        "Bytes for the model and this many tokens of context."
        far, near = self.layers - self.layers // 2, self.layers // 2
        return self.size + self.per_token * (far * context + near * min(context, self.window))


def read_head(path: Path) -> Head:
    "GptOssError for a file that cannot be read or is none."
    try:
        with path.open("rb") as file:
            told = _told(file)
        size = path.stat().st_size
    except OSError as problem:
        raise GptOssError(f"{path} cannot be read: {problem.strerror}.") from problem
    except (struct.error, ValueError, KeyError) as problem:
        raise GptOssError(
            f"{path} is no GGUF file that can be read: {problem}.",
            remedy="It may not have been downloaded to its end.",
        ) from problem
    name = str(told.get("general.architecture"))

    def number(key: str) -> int:
        value = told.get(f"{name}.{key}", 0)
        return value if isinstance(value, int) else 0

    # Keys and values, two bytes each.
    per_token = 2 * number("attention.head_count_kv")
    per_token *= number("attention.key_length") + number("attention.value_length")
    return Head(
        name,
        size,
        trained_context=number("context_length"),
        layers=number("block_count"),
        per_token=per_token,
        window=number("attention.sliding_window"),
    )


def check_loadable(path: Path, head: Head) -> None:
    "NotGptOss for another model, GptOssError for a gpt-oss that only Ollama can read."
    if head.architecture == LLAMA_CPP:
        return
    if head.architecture == OLLAMA:
        raise GptOssError(
            f"{path} is a gpt-oss in Ollama's own layout, which llama.cpp cannot load.",
            remedy="Run it on Ollama, or download a GGUF file that was made for llama.cpp, "
            "such as ggml-org/gpt-oss-20b-GGUF on Hugging Face, and add it with --gguf.",
        )
    raise NotGptOss(
        f"{path} is a model of the family {head.architecture}, and only gpt-oss reads harmony.",
        remedy="Add a GGUF file of gpt-oss.",
    )


def _told(file: IO[bytes]) -> dict[str, Any]:
    "The values up to the vocabulary, which comes behind what says how the model is built."
    if file.read(4) != b"GGUF":
        raise ValueError("it begins otherwise")
    version, _, keys = _unpack(file, "IQQ")
    if not 2 <= version <= 3 or keys > MOST_KEYS:
        raise ValueError(f"version {version} with {keys} keys")
    told: dict[str, Any] = {}
    for _ in range(keys):
        key = _string(file)
        if key.startswith("tokenizer.") and any(name.endswith(".block_count") for name in told):
            break
        told[key] = _value(file, *_unpack(file, "I"))
    return told


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == STRING:
        return _string(file)
    if kind == ARRAY:
        inner, length = _unpack(file, "IQ")
        if length > LONGEST:
            raise ValueError(f"a list of {length} values")
        return [_value(file, inner) for _ in range(length)]
    return _unpack(file, NUMBERS[kind])[0]


def _string(file: IO[bytes]) -> str:
    (length,) = _unpack(file, "Q")
    if length > LONGEST:
        raise ValueError(f"a text of {length} bytes")
    return file.read(length).decode(errors="replace")


def _unpack(file: IO[bytes], form: str) -> tuple[Any, ...]:
    form = "<" + form
    return struct.unpack(form, file.read(struct.calcsize(form)))
