"""A gpt-oss model in torch, loaded by Transformers."""

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
from .generation import TokenSampler
from .grammar import GrammarCompiler
from .model_folder import TOKENIZER, ModelFolder
from .sampling import Sampler
from .tokens import Vocabulary


def supports_mxfp4() -> bool:
    "Whether this machine computes with packed MXFP4 weights, by the conditions that Transformers checks."
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (7, 5):
        return False
    return bool(is_triton_available("3.4.0") and is_kernels_available())


def free_gpu_memory() -> int:
    "Return the free bytes of all GPUs together."
    return sum(torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count()))


class TorchModel:
    """`generation.Model`. Use it in one thread only: torch starts threads for each thread that calls it."""

    def __init__(self, folder: ModelFolder) -> None:
        self._tokenizer = Tokenizer.from_file(f"{folder.path}/{TOKENIZER}")
        self.vocabulary = Vocabulary(self._tokenizer, folder.path)
        with _quiet():
            self._model = AutoModelForCausalLM.from_pretrained(
                folder.path, dtype="auto", device_map="auto", local_files_only=True, use_safetensors=True
            ).eval()

    def new_state(self) -> Any:
        # Without the config. With it, layers with a sliding window drop earlier tokens and cannot go back.
        return DynamicCache()

    def copy(self, state: Any, count: int) -> Any:
        copied = self.new_state()
        with torch.inference_mode():
            for number, layer in enumerate(state.layers):
                copied.update(
                    layer.keys[..., :count, :].clone(), layer.values[..., :count, :].clone(), number
                )
        return copied

    def evaluate(self, state: Any, tokens: Sequence[int]) -> Any:
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self._model.device)
            # The state is passed by position: Transformers 5.24 renamed its parameter from past_key_values.
            output = self._model(ids, None, None, state, use_cache=True, logits_to_keep=1)
            return output.logits[0, -1]

    def drop_last(self, state: Any, count: int) -> None:
        with torch.inference_mode():
            state.crop(-count)

    def sampler(self, completion: Completion) -> TokenSampler:
        grammar = None if completion.format is None else self._grammars.compile(completion.format)
        return Sampler(completion, grammar)

    @cached_property
    def _grammars(self) -> GrammarCompiler:
        size = self._model.config.get_text_config().vocab_size
        return GrammarCompiler(self._tokenizer.to_str(), size, sorted(self.vocabulary.stop_tokens))


@contextmanager
def _quiet() -> Iterator[None]:
    "Keep Transformers from printing progress bars and warnings to standard error."
    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()
