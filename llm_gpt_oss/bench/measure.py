"Runs and measures the turns of a benchmark."

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import llm

from ..errors import EngineError
from ..models import GptOss
from .prompts import Lengths, prompt_text
from .results import Case, Run

# The numbers of words in the two prompts of the warm-up.
FEW, MANY = 20, 120


class Benchmark:
    """Measures a model whose engine is open.

    `options` are used for all turns. `new_nonce` returns text that no earlier prompt begins with. `log` is
    called with each measured response.
    """

    def __init__(
        self,
        model: GptOss,
        options: dict[str, Any],
        new_nonce: Callable[[], str],
        log: Callable[[llm.Response, Run], None],
    ) -> None:
        self._model = model
        self._options = options
        self._new_nonce = new_nonce
        self._log = log
        self._lengths: Lengths | None = None

    def warm_up(self) -> None:
        """Make the engine load the model, and measure how many tokens a word has.

        Raises GptOssError if the engine cannot answer.
        """
        tokens = []
        for words in (FEW, MANY):
            response = self._prompt(prompt_text(self._new_nonce(), words), "low")
            if response.input_tokens is None:
                raise EngineError("The engine does not report how many tokens a prompt has.")
            tokens.append(response.input_tokens)
        self._lengths = Lengths.measured(FEW, tokens[0], MANY, tokens[1])

    def measure(self, case: Case) -> Iterator[Run]:
        """Yield a run with a new prompt, then one with the same prompt, which the engine has cached.

        Raises GptOssError if the engine cannot answer, and ContextOverflow if the prompt is too long for it.
        """
        assert self._lengths, "warm_up comes first"
        text = prompt_text(self._new_nonce(), self._lengths.words(case.prompt_tokens))
        for cached in (False, True):
            response = self._prompt(text, case.effort)
            run = _run(case, response, cached=cached)
            self._log(response, run)
            yield run

    def _prompt(self, text: str, effort: str) -> llm.Response:
        response = self._model.prompt(text, stream=True, reasoning_effort=effort, **self._options)
        for _ in response:
            pass
        return response


def _run(case: Case, response: llm.Response, *, cached: bool) -> Run:
    details = response.token_details or {}
    first_token_ms, output = details.get("time_to_first_token_ms"), response.output_tokens
    rate = details.get("tokens_per_second")
    if rate is None and first_token_ms is not None and output and output > 1:
        # If the engine does not report its own rate, the whole turn is measured.
        rate = round((output - 1) / max(response.duration_ms() - first_token_ms, 1) * 1000, 1)
    return Run(case, cached, response.input_tokens, output, first_token_ms, rate)
