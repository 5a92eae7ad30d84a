"Requests to llama.cpp's server, as values."

from __future__ import annotations

from ...completion import Completion, Json
from ...errors import NotGptOss
from ...harmony.markers import CHANNEL, CONSTRAIN, END, MESSAGE, START
from ..grammar_subset import grammar_subset
from ..http.completion_fields import check_max_tokens, sampling_fields, without_none
from ..http.request import Request

MARKERS = [START, END, MESSAGE, CHANNEL, CONSTRAIN]


def completion_request(completion: Completion, model_name: str | None = None) -> Request[Json]:
    """Return a request for the stream of a completion. Raises BadRequest for a limit below one token.

    `model_name` is the server's name for the model, if it has several.
    """
    check_max_tokens(completion)  # the server would write one token nevertheless
    body: Json = {
        "prompt": completion.prompt,
        "stream": True,
        "cache_prompt": True,
        # A server that treats the markers as control tokens omits them from its text unless they are listed.
        "preserved_tokens": MARKERS,
        "model": model_name,
        "n_predict": completion.max_tokens,
        "stop": list(completion.stop) or None,
        **sampling_fields(completion),
    }
    if completion.format is not None:
        schema = completion.format
        body["json_schema"] = {"type": "object"} if schema == "json" else grammar_subset(schema)
    if completion.top_logprobs is not None:
        # With 0 the server would not report the chosen token's log probability either.
        body["n_probs"] = max(1, completion.top_logprobs)
    return Request("/completion", lambda data: data, without_none(body))


def props_request() -> Request[Json]:
    "The properties of the server and of its model."
    return Request("/props", lambda data: data)


def markers_request(tag: str) -> Request[dict[int, str]]:
    """Return a request for the ids of harmony's markers.

    `parse` raises NotGptOss if a marker is not a single token of this model.
    """

    def parse(data: Json) -> dict[int, str]:
        ids = data.get("tokens") or ()
        if len(ids) != len(MARKERS):
            raise NotGptOss(
                f"{tag} is not a gpt-oss: its vocabulary does not contain harmony's markers.",
                remedy="Start the server with a gpt-oss model.",
            )
        return dict(zip(ids, MARKERS, strict=True))

    return Request("/tokenize", parse, {"content": "".join(MARKERS), "parse_special": True})
