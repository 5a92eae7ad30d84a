"What llama.cpp's server is asked, each a value. Nothing is sent from here."

from __future__ import annotations

from ...completion import Completion, Json
from ...errors import BadRequest, NotGptOss
from ...harmony.markers import CHANNEL, CONSTRAIN, END, MESSAGE, START
from ..grammar_subset import grammar_subset
from ..http.client import Request

MARKERS = [START, END, MESSAGE, CHANNEL, CONSTRAIN]


def completion(wanted: Completion, served_as: str | None = None) -> Request:
    "A stream. `served_as` is the server's name for the model, where it has several."
    if wanted.max_tokens is not None and wanted.max_tokens < 1:
        # It would write one all the same.
        message = f"An answer of {wanted.max_tokens} tokens cannot be asked for."
        raise BadRequest(message, param="max_tokens", remedy="Type `-o max_tokens` with 1 or more.")
    body: Json = {
        "prompt": wanted.prompt,
        "stream": True,
        "cache_prompt": True,
        # A server that holds them for control tokens would leave out of its text what is not named here.
        "preserved_tokens": MARKERS,
        "model": served_as,
        "n_predict": wanted.max_tokens,
        "stop": list(wanted.stop) or None,
        **sampling(wanted),
    }
    if wanted.format is not None:
        body["json_schema"] = {"type": "object"} if wanted.format == "json" else grammar_subset(wanted.format)
    if wanted.top_logprobs is not None:
        # Zero would be none at all, not even the chosen token's own.
        body["n_probs"] = max(1, wanted.top_logprobs)
    return Request("/completion", {name: value for name, value in body.items() if value is not None})


def sampling(wanted: Completion) -> Json:
    "By the names that llama.cpp has, which are ours."
    chosen = wanted.sampling
    return {name: getattr(chosen, name) for name in chosen.__dataclass_fields__}


def vocabulary() -> Request:
    "How it reads a marker of harmony: as one token, if its model is of the family."
    return Request("/tokenize", {"content": CHANNEL, "parse_special": True})


def check_vocabulary(tag: str, answer: Json) -> None:
    "NotGptOss unless the marker is one token."
    if len(answer.get("tokens") or ()) != 1:
        raise NotGptOss(
            f"{tag} is no gpt-oss: its model does not know harmony's markers.",
            remedy="Start the server with a gpt-oss model.",
        )
