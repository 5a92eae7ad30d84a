"""gpt-oss-tiny as Transformers reads it: a folder made of the GGUF file that the repository ships.

needs_torch                  # skips where the engine's packages are not installed
write(folder)                # config.json, tokenizer.json, model.safetensors
write(folder, packed=True)   # the experts as MXFP4, as OpenAI has them
bare(folder, model_type="x") # a folder that looks like one: for what never loads it
"""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from support import tiny

MISSING_PACKAGES = [
    name for name in ("torch", "transformers", "accelerate", "llguidance") if find_spec(name) is None
]
SKIP_REASON = "needs the engine transformers: pip install 'llm-gpt-oss[transformers]'"
needs_torch = pytest.mark.skipif(bool(MISSING_PACKAGES), reason=SKIP_REASON)

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
F32 = 0

CONFIG = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    # The file has float16, in which processors read a prompt six times as slowly.
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
# How o200k_harmony parts a text before it looks for pairs.
WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# GGUF's names of what a layer has, and Transformers'.
NAMES = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate_inp": "mlp.router",
}
WHOLE = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}


def write_placeholder(folder: Path, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"w" * 1000)
    return folder


def write_model(folder: Path, packed: bool = False) -> Path:
    from safetensors.torch import save_file

    told, tensors = _read(tiny.FILE)
    write_placeholder(folder, **(PACKED if packed else {}))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(told)))
    weights = _weights(tensors)
    save_file(
        _packed(weights) if packed else weights, folder / "model.safetensors", metadata={"format": "pt"}
    )
    return folder


class _Bytes:
    def __init__(self, data: bytearray) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> Any:
        [value] = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            inner = self.take("I")
            return [self.value(inner) for _ in range(self.take("Q"))]
        return self.take(SCALARS[kind])


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    import torch

    source = _Bytes(bytearray(file.read_bytes()))
    source.at = 8
    count, keys = source.take("Q"), source.take("Q")
    told = {source.text(): source.value(source.take("I")) for _ in range(keys)}
    places = []
    for _ in range(count):
        name = source.text()
        shape = [source.take("Q") for _ in range(source.take("I"))][::-1]
        kind, offset = source.take("I"), source.take("Q")
        places.append((name, shape, kind, offset))
    begin = -(-source.at // 32) * 32
    tensors = {}
    for name, shape, kind, offset in places:
        length = 1
        for size in shape:
            length *= size
        dtype = torch.float32 if kind == F32 else torch.float16
        flat = torch.frombuffer(source.data, dtype=dtype, count=length, offset=begin + offset)
        tensors[name] = flat.reshape(shape).to(torch.float16)
    return told, tensors


def _weights(tensors: dict[str, Any]) -> dict[str, Any]:
    import torch

    named = {}
    for name, tensor in tensors.items():
        if not name.startswith("blk."):
            what, _, kind = name.partition(".")
            named[f"{WHOLE[what]}.{kind}"] = tensor.clone()
            continue
        _, number, what, *kind = name.split(".")
        layer = f"model.layers.{number}."
        if what in NAMES:
            named[layer + ".".join([NAMES[what], *kind])] = tensor.clone()
        elif what == "attn_sinks":
            named[layer + "self_attn.sinks"] = tensor.clone()
        elif what == "ffn_down_exps":
            named[layer + "mlp.experts.down_proj" + _bias(kind)] = _turned(tensor, kind)
        elif what == "ffn_gate_exps":
            # Transformers has gate and up in one, a column of each in turn.
            up = tensors[name.replace("gate", "up")]
            both = torch.stack([tensor, up], dim=2).flatten(1, 2)
            named[layer + "mlp.experts.gate_up_proj" + _bias(kind)] = _turned(both, kind)
    return named


def _packed(weights: dict[str, Any]) -> dict[str, Any]:
    "Of 32 numbers each the exponent of the largest, and for each number the nearest that four bits can say."
    import torch

    sayable = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    named = {}
    for name, tensor in weights.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            named[name] = tensor.to(torch.bfloat16)
            continue
        groups = tensor.float().transpose(1, 2).unflatten(2, (-1, 32))
        exponents = torch.floor(torch.log2(groups.abs().amax(-1).clamp(min=1e-20))) - 2
        scaled = groups / 2.0 ** exponents[..., None]
        bits = (scaled.abs()[..., None] - sayable).abs().argmin(-1) + 8 * (scaled < 0)
        named[f"{name}_blocks"] = (bits[..., 0::2] + 16 * bits[..., 1::2]).to(torch.uint8)
        named[f"{name}_scales"] = (exponents + 127).to(torch.uint8)
    return named


def _bias(kind: list[str]) -> str:
    return "_bias" if kind == ["bias"] else ""


def _turned(tensor: Any, kind: list[str]) -> Any:
    return tensor.clone() if kind == ["bias"] else tensor.transpose(1, 2).contiguous()


def _tokenizer(told: dict[str, Any]) -> dict[str, Any]:
    texts = told["tokenizer.ggml.tokens"]
    kinds = told["tokenizer.ggml.token_type"]
    words = {text: number for number, text in enumerate(texts) if kinds[number] == 1}
    added = [
        {
            "id": number,
            "content": text,
            "special": True,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for number, text in enumerate(texts)
        if kinds[number] != 1
    ]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_]},
        "decoder": {**bytes_, "add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": words,
            "merges": [merge.split(" ") for merge in told["tokenizer.ggml.merges"]],
        },
    }
