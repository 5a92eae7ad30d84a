"""The folder of a model in the format of Hugging Face: find it, and read its config."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...catalog.binding import BoundModel
from ...catalog.models_file import BUILT_IN
from ...completion import Json
from ...errors import EngineError, GptOssError, NotGptOss

INSTALL = "Type `llm install 'llm-gpt-oss[transformers]'`."
CONFIG, TOKENIZER, WEIGHTS, INDEX = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "model.safetensors.index.json",
)
# Bits for a weight: in MXFP4 with its share of the scale, and unpacked.
PACKED_BITS, UNPACKED_BITS = 4.25, 16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What the folder says about its model. `size` is the size of the files in bytes.

    All layers together need `kv_bytes_per_token` bytes of memory for a token of the context.
    `packed_weights` is the number of weights that are packed as MXFP4. `vocabulary` counts the tokens, and
    `embedding_length` is the width of the layers.
    """

    path: str
    size: int
    trained_context: int
    kv_bytes_per_token: int
    packed_weights: int = 0
    vocabulary: int | None = None
    embedding_length: int | None = None

    def required_memory(self, context: int, packed: bool) -> int:
        """Return the bytes that the model needs with this context length.

        `packed` is whether its MXFP4 weights stay packed.
        """
        unpacking = 0 if packed else int(self.packed_weights * (UNPACKED_BITS - PACKED_BITS) / 8)
        return self.size + unpacking + self.kv_bytes_per_token * context


def weights_location(model: BoundModel) -> str:
    "Return the folder or Hugging Face id that the model was added with. Built-in tags have OpenAI's id."
    location = model.engine_options.get("weights")
    if isinstance(location, str):
        return location
    if model.tag in BUILT_IN:
        return "openai/" + model.tag.replace(":", "-")
    raise GptOssError(
        f"The model {model.tag} has no folder for the engine {model.engine}.",
        remedy=f"Type `llm gpt-oss models add {model.tag} --transformers FOLDER`.",
    )


def find_folder(location: str) -> Path:
    "Return the folder, or that of a Hugging Face id in the local cache. Nothing is downloaded."
    folder = Path(location).expanduser()
    if folder.is_dir():
        return folder
    if location.count("/") != 1 or location[0] in "./~":
        raise GptOssError(
            f"There is no folder {location}.", remedy="Use an existing folder, or an id on Hugging Face."
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as missing:
        raise EngineError("The engine transformers needs huggingface_hub.", remedy=INSTALL) from missing
    try:
        return Path(snapshot_download(location, local_files_only=True))
    except (OSError, ValueError) as problem:  # its own exceptions are subclasses of these
        raise GptOssError(
            f"{location} is not on this machine.", remedy=download_command(location)
        ) from problem


def download_command(name: str) -> str:
    # OpenAI's repositories have the same weights in three formats.
    return f"Type `hf download {name} --exclude 'original/*' 'metal/*'`."


def read_folder(path: Path) -> ModelFolder:
    "Raises NotGptOss for another model, and GptOssError if a file is missing or cannot be read."
    config = _read_json(path / CONFIG)
    family = config.get("model_type")
    if family != "gpt_oss":
        raise NotGptOss(
            f"{path} is a model of the family {family}, and only gpt-oss reads harmony.",
            remedy="Add a folder of gpt-oss.",
        )
    size = sum(_size(path / file) for file in {TOKENIZER, *_weight_files(path)})
    try:
        layers, width, expert_width = (
            int(config[name]) for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
        )
        heads, head_width = int(config["num_key_value_heads"]), int(config["head_dim"])
        is_packed = (config.get("quantization_config") or {}).get("quant_method") == "mxfp4"
        experts = layers * int(config["num_local_experts"])
        packed_weights = experts * 3 * width * expert_width if is_packed else 0
        trained_context = int(config["max_position_embeddings"])
        vocabulary = None if config.get("vocab_size") is None else int(config["vocab_size"])
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise GptOssError(f"{path / CONFIG} cannot be used: {problem!r}.") from problem
    # Keys and values with 16 bits.
    kv_bytes_per_token = 2 * 2 * layers * heads * head_width
    return ModelFolder(
        str(path),
        size,
        trained_context,
        kv_bytes_per_token,
        packed_weights,
        vocabulary,
        embedding_length=width,
    )


def _weight_files(path: Path) -> set[str]:
    if not (path / INDEX).exists():
        return {WEIGHTS}
    files = _read_json(path / INDEX).get("weight_map")
    return set(map(str, files.values())) if isinstance(files, dict) else {WEIGHTS}


def _read_json(path: Path) -> Json:
    try:
        value = json.loads(path.read_bytes())
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    except ValueError as problem:
        raise GptOssError(f"{path} is not JSON: {problem}.") from problem
    return value if isinstance(value, dict) else {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, problem: OSError) -> GptOssError:
    return GptOssError(
        f"{path} cannot be read: {problem.strerror}.",
        remedy="A model in the format of Hugging Face has config.json, tokenizer.json and safetensors files. "
        "The download may be incomplete.",
    )
