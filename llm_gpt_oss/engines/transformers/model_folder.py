"The folder of a model in the form of Hugging Face: what its config says, and the files that it needs."

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
# Bits of a weight as MXFP4 has it, its share of the scale included, and of one that was unpacked.
PACKED, UNPACKED = 4.25, 16


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """`size` is that of the files with the weights. A token of context takes `per_token` bytes. `experts`
    counts the weights that are packed as MXFP4, none if they are not."""

    path: str
    size: int
    trained_context: int
    per_token: int
    experts: int = 0

    def memory(self, context: int, packed: bool) -> int:
        "Bytes for the model and this many tokens of context; `packed` if MXFP4 stays as it is."
        unpacking = 0 if packed else int(self.experts * (UNPACKED - PACKED) / 8)
        return self.size + unpacking + self.per_token * context


def named(model: BoundModel) -> str:
    "What the model was added with: a folder, or an id on Hugging Face; for a built-in tag, OpenAI's own."
    given = model.engine_options.get("weights")
    if isinstance(given, str):
        return given
    if model.tag in BUILT_IN:
        return "openai/" + model.tag.replace(":", "-")
    raise GptOssError(
        f"Nobody said where {model.tag} is served on {model.engine}.",
        remedy=f"Type `llm gpt-oss models add {model.tag} --transformers FOLDER`.",
    )


def find(name: str) -> Path:
    "The folder, or where Hugging Face's cache has this id. Nothing is downloaded. GptOssError if neither is."
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name[0] in "./~":
        raise GptOssError(f"There is no folder {name}.", remedy="Name one, or an id on Hugging Face.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as missing:
        raise EngineError("The engine transformers needs huggingface_hub.", remedy=INSTALL) from missing
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as problem:  # its own errors are of these
        raise GptOssError(f"{name} is not on this machine.", remedy=download(name)) from problem


def download(name: str) -> str:
    # OpenAI's repositories have the same weights in three forms.
    return f"Type `hf download {name} --exclude 'original/*' 'metal/*'`."


def read_folder(path: Path) -> ModelFolder:
    "NotGptOss for another model, GptOssError for a folder that cannot be read or lacks something."
    config = _json(path / CONFIG)
    family = config.get("model_type")
    if family != "gpt_oss":
        raise NotGptOss(
            f"{path} is a model of the family {family}, and only gpt-oss reads harmony.",
            remedy="Add one of gpt-oss.",
        )
    size = sum(_size(path / file) for file in {TOKENIZER, *_weights(path)})
    try:
        layers, width, inner = (
            int(config[name]) for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
        )
        heads, length = int(config["num_key_value_heads"]), int(config["head_dim"])
        packed = (config.get("quantization_config") or {}).get("quant_method") == "mxfp4"
        experts = layers * int(config["num_local_experts"]) * 3 * width * inner if packed else 0
        trained = int(config["max_position_embeddings"])
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise GptOssError(f"{path / CONFIG} cannot be used: {problem!r}.") from problem
    # Keys and values, two bytes each, in every layer.
    return ModelFolder(str(path), size, trained, 2 * 2 * layers * heads * length, experts)


def _weights(path: Path) -> set[str]:
    if not (path / INDEX).exists():
        return {WEIGHTS}
    files = _json(path / INDEX).get("weight_map")
    return set(map(str, files.values())) if isinstance(files, dict) else {WEIGHTS}


def _json(path: Path) -> Json:
    try:
        found = json.loads(path.read_bytes())
    except OSError as problem:
        raise _lacking(path, problem) from problem
    except ValueError as problem:
        raise GptOssError(f"{path} is no JSON: {problem}.") from problem
    return found if isinstance(found, dict) else {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as problem:
        raise _lacking(path, problem) from problem


def _lacking(path: Path, problem: OSError) -> GptOssError:
    return GptOssError(
        f"{path} cannot be read: {problem.strerror}.",
        remedy="A model in the form of Hugging Face has config.json, tokenizer.json and safetensors files; "
        "it may not have been downloaded to its end.",
    )
