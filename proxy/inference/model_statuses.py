"What the engines report about the models, for lists of models and for health checks."

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.engines.providers import get_provider
from llm_gpt_oss.errors import GptOssError

logger = logging.getLogger(__name__)

# Seconds that a client waits for an engine's report, and seconds for which a report is used.
TIMEOUT = 1.0
MAX_AGE = 2.0
# Seconds that a check waits for the next data from a server. A check that takes longer than TIMEOUT goes on.
READ_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    "A check that runs or has ended, and the time at which it began."

    task: asyncio.Task[ModelStatus | None]
    began: float


class ModelStatuses:
    """Checks models, each at most once in `MAX_AGE` seconds for all clients together.

    `bound_model` returns the model with a tag.
    """

    def __init__(
        self, bound_model: Callable[[str], BoundModel], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bound_model = bound_model
        self._clock = clock
        self._checks: dict[str, Check] = {}

    async def status(self, tag: str) -> ModelStatus | None:
        "Return the status of the model with this tag, None if its engine takes longer than `TIMEOUT`."
        now = self._clock()
        check = self._checks.get(tag)
        # A check of a server that does not answer is never joined by another one, which would wait as well.
        if check is None or (check.task.done() and now - check.began >= MAX_AGE):
            check = self._checks[tag] = Check(asyncio.create_task(self._check(tag)), now)
        await asyncio.wait([check.task], timeout=max(0.0, check.began + TIMEOUT - now))
        return check.task.result() if check.task.done() else None

    async def _check(self, tag: str) -> ModelStatus | None:
        try:
            # In a thread, because providers read files and wait for servers.
            return await asyncio.to_thread(_model_status, self._bound_model(tag))
        except GptOssError as error:
            return ModelStatus("", problem=str(error))
        except Exception:
            logger.exception("The engine of %s could not report the status of the model", tag)
            return None


def _model_status(model: BoundModel) -> ModelStatus:
    model = model._replace(settings=model.settings.with_read_timeout(READ_TIMEOUT))
    return get_provider(model.engine).model_status(model, model.api_key())
