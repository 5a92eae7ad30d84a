"""llama.cpp's server holds text back because of a stop string: markers and text that spells them out.

A grammar makes the tiny model write the text. A bias decides whether it writes special tokens or spells them
out.
"""

from __future__ import annotations

import pytest
from support import tiny

from llm_gpt_oss.completion import Completion, Piece, Sampling
from llm_gpt_oss.engines.http.client import Client
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.engines.llama_server.reader import CompletionReader
from llm_gpt_oss.engines.llama_server.requests import completion_request, markers_request
from llm_gpt_oss.harmony.markers import CHANNEL, END, MARKERS, START
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.streaming import translate

pytestmark = tiny.needs_xllamacpp

COMPLETION = Completion(
    "tiny", "Say:", stop=(END + START, f"{CHANNEL}final"), max_tokens=40, sampling=Sampling(temperature=0)
)
TEXT = "The tag <|end|> ends a message, <|channel|> opens its header"


@pytest.mark.parametrize(
    ("may_use_markers", "markers"),
    [
        pytest.param(False, [], id="spelled out"),
        pytest.param(True, [END, CHANNEL], id="special tokens"),
    ],
)
def test_markers_are_pieces(server: ServerAddress, may_use_markers: bool, markers: list[str]) -> None:
    with Client(Endpoint("llama.cpp", server, 60.0, "")) as client:
        ids = client.send(markers_request("tiny"))
        request = completion_request(COMPLETION)
        assert request.body is not None
        bias = 100 if may_use_markers else -100
        request.body["logit_bias"] = [[id_, bias] for id_ in ids]
        request.body["grammar"] = f'root ::= "{TEXT}"'
        items = list(translate(client.stream(request), CompletionReader("llama.cpp", COMPLETION, ids)))
    texts = [item.text for item in items if isinstance(item, Piece)]
    assert "".join(texts) == TEXT
    assert [text for text in texts if text in MARKERS] == markers
