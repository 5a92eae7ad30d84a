"""gpt-oss-tiny in the format of Hugging Face, converted from the GGUF file in the repository.

write_model(folder)                        # config.json, tokenizer.json, model.safetensors
write_model(folder, packed=True)           # with the experts as MXFP4, as OpenAI publishes them
write_placeholder(folder, model_type="x")  # with this config, for tests that do not load the weights
"""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from support import tiny

MISSING_PACKAGES = [
    name for name in ("torch", "transformers", "accelerate", "llguidance") if find_spec(name) is None
]
SKIP_REASON = "needs the engine transformers: pip install 'llm-gpt-oss[transformers]'"

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
F32 = 0
# The type of tokens that are not special.
NORMAL = 1

CONFIG = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    # The file has float16, with which a CPU evaluates a prompt six times as slowly.
    "dtype": "float32",
    "attention_bias": True,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "num_hidden_layers": 8,
    "hidden_size": 256,
    "intermediate_size": 128,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "vocab_size": 2048,
    "max_position_embeddings": 131072,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 4,
    "rms_norm_eps": 1e-05,
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 150000.0,
        "factor": 32.0,
        "original_max_position_embeddings": 4096,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "truncate": True,
    },
}
PACKED = {
    "dtype": "bfloat16",
    "quantization_config": {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    },
}
# How o200k_harmony splits a text into words before it merges pairs.
WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Names of the tensors of a layer: in GGUF, and in Transformers.
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate_inp": "mlp.router",
}
MODEL_NAMES = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}


def write_placeholder(folder: Path, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"w" * 1000)
    return folder


def write_model(folder: Path, packed: bool = False) -> Path:
    from safetensors.torch import save_file

    metadata, tensors = _read(tiny.FILE)
    write_placeholder(folder, **(PACKED if packed else {}))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(metadata)))
    weights = _weights(tensors)
    save_file(
        _packed(weights) if packed else weights, folder / "model.safetensors", metadata={"format": "pt"}
    )
    return folder


class _GgufReader:
    def __init__(self, data: bytearray) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> Any:
        [value] = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, type_: int) -> Any:
        if type_ == STRING:
            return self.text()
        if type_ == ARRAY:
            item_type = self.number("I")
            return [self.value(item_type) for _ in range(self.number("Q"))]
        return self.number(NUMBERS[type_])


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    "The metadata of a GGUF file, and its tensors by name."
    import torch

    reader = _GgufReader(bytearray(file.read_bytes()))
    reader.at = 8
    count, keys = reader.number("Q"), reader.number("Q")
    metadata = {reader.text(): reader.value(reader.number("I")) for _ in range(keys)}
    entries = []
    for _ in range(count):
        name = reader.text()
        shape = [reader.number("Q") for _ in range(reader.number("I"))][::-1]
        type_, offset = reader.number("I"), reader.number("Q")
        entries.append((name, shape, type_, offset))
    begin = -(-reader.at // 32) * 32
    tensors = {}
    for name, shape, type_, offset in entries:
        length = 1
        for size in shape:
            length *= size
        dtype = torch.float32 if type_ == F32 else torch.float16
        flat = torch.frombuffer(reader.data, dtype=dtype, count=length, offset=begin + offset)
        tensors[name] = flat.reshape(shape).to(torch.float16)
    return metadata, tensors


def _weights(tensors: dict[str, Any]) -> dict[str, Any]:
    "The tensors under the names of Transformers."
    import torch

    weights = {}
    for name, tensor in tensors.items():
        if not name.startswith("blk."):
            module, _, attribute = name.partition(".")
            weights[f"{MODEL_NAMES[module]}.{attribute}"] = tensor.clone()
            continue
        _, number, module, *attribute = name.split(".")
        layer = f"model.layers.{number}."
        if module in LAYER_NAMES:
            weights[layer + ".".join([LAYER_NAMES[module], *attribute])] = tensor.clone()
        elif module == "attn_sinks":
            weights[layer + "self_attn.sinks"] = tensor.clone()
        elif module == "ffn_down_exps":
            weights[layer + "mlp.experts.down_proj" + _suffix(attribute)] = _expert(tensor, attribute)
        elif module == "ffn_gate_exps":
            # Transformers has gate and up in one tensor, with alternating columns.
            up = tensors[name.replace("gate", "up")]
            both = torch.stack([tensor, up], dim=2).flatten(1, 2)
            weights[layer + "mlp.experts.gate_up_proj" + _suffix(attribute)] = _expert(both, attribute)
    return weights


def _suffix(attribute: list[str]) -> str:
    return "_bias" if attribute == ["bias"] else ""


def _expert(tensor: Any, attribute: list[str]) -> Any:
    return tensor.clone() if attribute == ["bias"] else tensor.transpose(1, 2).contiguous()


def _packed(weights: dict[str, Any]) -> dict[str, Any]:
    "The weights with the experts as MXFP4: a shared exponent for 32 numbers, and four bits for each number."
    import torch

    values = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    packed = {}
    for name, tensor in weights.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            packed[name] = tensor.to(torch.bfloat16)
            continue
        groups = tensor.float().transpose(1, 2).unflatten(2, (-1, 32))
        exponents = torch.floor(torch.log2(groups.abs().amax(-1).clamp(min=1e-20))) - 2
        scaled = groups / 2.0 ** exponents[..., None]
        bits = (scaled.abs()[..., None] - values).abs().argmin(-1) + 8 * (scaled < 0)
        packed[f"{name}_blocks"] = (bits[..., 0::2] + 16 * bits[..., 1::2]).to(torch.uint8)
        packed[f"{name}_scales"] = (exponents + 127).to(torch.uint8)
    return packed


def _tokenizer(metadata: dict[str, Any]) -> dict[str, Any]:
    "The contents of tokenizer.json."
    texts = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"]
    vocabulary = {text: number for number, text in enumerate(texts) if types[number] == NORMAL}
    added = [
        {
            "id": number,
            "content": text,
            "special": True,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for number, text in enumerate(texts)
        if types[number] != NORMAL
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "decoder": {**byte_level, "add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]],
        },
    }
