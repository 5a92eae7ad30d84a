"The metadata of a GGUF file: architecture, context length, layers. Ollama reports the same metadata."

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class GgufHeader(NamedTuple):
    """What a file says about its model. `size` is the size of the file. A number is 0 if it is unknown.

    Each layer needs `kv_bytes_per_token` bytes of memory for a token of its context. The context of every
    second layer is a window of `sliding_window` tokens; that of the others is the whole context.
    """

    architecture: str
    size: int = 0
    trained_context: int = 0
    layers: int = 0
    kv_bytes_per_token: int = 0
    sliding_window: int = 0
    parameters: int = 0
    embedding_length: int = 0

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], size: int = 0) -> GgufHeader:
        name = str(metadata.get("general.architecture"))

        def number(key: str) -> int:
            value = metadata.get(key, 0)
            return value if isinstance(value, int) else 0

        # Keys and values of the attention have 16 bits.
        kv_bytes_per_token = 2 * number(f"{name}.attention.head_count_kv")
        kv_bytes_per_token *= number(f"{name}.attention.key_length") + number(
            f"{name}.attention.value_length"
        )
        return cls(
            name,
            size,
            trained_context=number(f"{name}.context_length"),
            layers=number(f"{name}.block_count"),
            kv_bytes_per_token=kv_bytes_per_token,
            sliding_window=number(f"{name}.attention.sliding_window"),
            parameters=number("general.parameter_count"),
            embedding_length=number(f"{name}.embedding_length"),
        )

    def required_memory(self, context: int) -> int:
        "Return the bytes that the model needs with this context length."
        windowed = self.layers // 2
        tokens = (self.layers - windowed) * context + windowed * min(context, self.sliding_window)
        return self.size + self.kv_bytes_per_token * tokens

    def longest_context(self, memory: int) -> int | None:
        """Return the longest context for which so many bytes of memory suffice: the trained one, or a half, a
        quarter and so on of it. None if there is none, or if the header does not have the numbers."""
        if not (self.layers and self.kv_bytes_per_token):
            return None
        contexts = (self.trained_context >> halvings for halvings in range(self.trained_context.bit_length()))
        return next((context for context in contexts if self.required_memory(context) <= memory), None)
