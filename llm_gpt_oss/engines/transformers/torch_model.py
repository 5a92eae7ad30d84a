"A model of Transformers: its weights, and what it thinks of a text."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.utils import is_kernels_available, is_triton_available, logging

from ...completion import Completion
from .generation import Chooser
from .grammar import Grammars
from .model_folder import TOKENIZER, ModelFolder
from .sampling import Sampler
from .tokens import Tokens


def stays_packed() -> bool:
    "Whether MXFP4 can be calculated with as it is: by the conditions that Transformers has for it."
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (7, 5):
        return False
    return bool(is_triton_available("3.4.0") and is_kernels_available())


def free_on_gpu() -> int:
    return sum(torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count()))


class TorchModel:
    "`generation.Network`. It is one thread's: torch makes threads of its own for each that works with it."

    def __init__(self, folder: ModelFolder) -> None:
        tokenizer = Tokenizer.from_file(f"{folder.path}/{TOKENIZER}")
        self.tokens = Tokens(tokenizer, folder.path)
        self._tokenizer = tokenizer
        with _quiet():
            self._model = AutoModelForCausalLM.from_pretrained(
                folder.path, dtype="auto", device_map="auto", local_files_only=True, use_safetensors=True
            ).eval()

    def state(self) -> Any:
        # Without the config: else layers with a sliding window keep that window alone, and cannot go back.
        return DynamicCache()

    def copy(self, state: Any, count: int) -> Any:
        copied = self.state()
        with torch.inference_mode():
            for number, layer in enumerate(state.layers):
                copied.update(
                    layer.keys[..., :count, :].clone(), layer.values[..., :count, :].clone(), number
                )
        return copied

    def read(self, state: Any, tokens: Sequence[int]) -> Any:
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self._model.device)
            told = self._model(input_ids=ids, past_key_values=state, use_cache=True, logits_to_keep=1)
            return told.logits[0, -1]

    def forget(self, state: Any, count: int) -> None:
        with torch.inference_mode():
            state.crop(-count)

    def chooser(self, wanted: Completion) -> Chooser:
        grammar = None if wanted.format is None else self._grammars.of(wanted.format)
        return Sampler(wanted, grammar)

    @cached_property
    def _grammars(self) -> Grammars:
        size = self._model.config.get_text_config().vocab_size
        return Grammars(self._tokenizer.to_str(), size, sorted(self.tokens.ending))


@contextmanager
def _quiet() -> Iterator[None]:
    "Neither bars nor warnings on the standard error of whoever asked something."
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
