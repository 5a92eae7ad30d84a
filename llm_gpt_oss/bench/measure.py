"Runs the turns of a benchmark."

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import llm

from ..errors import EngineError
from ..models import GptOss
from .prompts import Lengths, prompt_text
from .results import Case, Run

# The words of the two prompts with which it warms up.
FEW, MANY = 20, 120


class Benchmark:
    """Measures a model whose engine is open.

    `options` are those of all turns. `new_nonce` returns text that no earlier prompt began with. `log` gets
    each response that was measured.
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
        """Have the engine load the model, and find out how many tokens a word has.

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
        """Yield a run with a new prompt, and one with the same prompt again.

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
        # The engine does not report its times.
        rate = round((output - 1) / max(response.duration_ms() - first_token_ms, 1) * 1000, 1)
    return Run(case, cached, response.input_tokens, output, first_token_ms, rate)
