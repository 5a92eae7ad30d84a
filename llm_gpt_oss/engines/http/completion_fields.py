"Fields of a completion that all servers have in their requests."

from __future__ import annotations

from ...completion import Completion, Json
from ...errors import BadRequest


def check_max_tokens(completion: Completion) -> None:
    "Raises BadRequest for a limit of less than one token, which servers understand in different ways."
    if completion.max_tokens is not None and completion.max_tokens < 1:
        message = f"An answer of {completion.max_tokens} tokens cannot be requested."
        raise BadRequest(message, param="max_tokens", remedy="Set `-o max_tokens` to 1 or more.")


def sampling_fields(completion: Completion) -> Json:
    "Return the sampling options by the names of `Sampling`, None for those that were not requested."
    sampling = completion.sampling
    return {name: getattr(sampling, name) for name in sampling.__dataclass_fields__}


def without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
