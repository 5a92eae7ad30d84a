"The table itself, and the scripted Ollama that plays it."

from __future__ import annotations

from collections import Counter

import httpx
import pytest
from support.slips.row import NONE, SURFACES, Cut, Outcome, Row, Want, differences, generated, spelled
from support.slips.scripted_ollama import ScriptedOllama
from support.slips.table import KINDS, ON_ALL_SURFACES, ROWS

from llm_gpt_oss.harmony.markers import MARKER

TEXT = f"<|channel|>final<|message|>The tag {spelled('<|end|>')} STOP more<|return|>behind"


def test_every_surface_plays_two_hundred_rows_of_all_kinds() -> None:
    assert [name for name, count in Counter(row.id for row in ROWS).items() if count > 1] == []
    for surface in SURFACES:
        played = [row for row in ON_ALL_SURFACES if surface not in row.skipped]
        assert len(played) >= 200
        assert all({row.id for row in kind.ROWS} & {row.id for row in played} for kind in KINDS)


@pytest.mark.parametrize("characters", [True, False])
def test_only_a_token_is_a_marker(characters: bool) -> None:
    tokens, stop = generated(TEXT, (), characters=characters)
    assert stop is None
    assert "".join(token.text for token in tokens) == TEXT.replace("\ue000", "").partition("<|return|>")[0]
    assert [token.text for token in tokens if token.is_marker] == ["<|channel|>", "<|message|>"]
    assert not any(MARKER.search(token.text) for token in tokens if not token.is_marker)
    assert not characters or all(len(token.text) == 1 for token in tokens if not token.is_marker)


@pytest.mark.parametrize("characters", [True, False])
def test_a_stop_string_ends_the_text_before_it(characters: bool) -> None:
    tokens, stop = generated(TEXT, ("more", "STOP"), characters=characters)
    assert stop == "STOP"
    assert "".join(token.text for token in tokens).endswith("The tag <|end|> ")


def test_the_scripted_ollama_sends_held_tokens_as_one_line() -> None:
    with ScriptedOllama() as ollama:
        ollama.play([f"The tag {spelled('<|end|>')} ends", Cut("Hi")])
        body = {"prompt": "P", "options": {"stop": ["<|end|><|start|>"]}, "logprobs": True}
        first, second = (
            [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]
            for answer in (httpx.post(f"{ollama.url}/api/generate", json=body) for _ in range(2))
        )
    assert ollama.prompts == ["P", "P"]
    assert "".join(line["response"] for line in first) == "The tag <|end|> ends"
    joined = next(line for line in first if "end" in line["response"])
    assert joined["response"].startswith("<|end|>") or " <|end|>" in joined["response"]
    assert "".join(each["token"] for each in joined["logprobs"]) == joined["response"]
    assert len(joined["logprobs"]) > 2
    assert (first[-1]["done_reason"], second[-1]["done_reason"]) == ("stop", "length")


def _outcome(**fields: object) -> Outcome:
    came = {"text": "Yes.", "reasoning": "", "calls": [], "completions": 1, "prompt": "P", "notes": []}
    return Outcome(**{**came, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ""),
        ({"text": "No."}, "text 'No.' instead of 'Yes.'"),
        ({"reasoning": "Hm."}, "reasoning 'Hm.' instead of ''"),
        ({"calls": [("f", {})]}, "calls [('f', {})] instead of []"),
        ({"calls": [("", {})]}, "a call without a name"),
        ({"completions": 3}, "3 completions, but at most 2 are allowed"),
        ({"notes": ["mended"]}, "notes ['mended'] instead of []"),
        ({"error": "BadAnswer"}, "error BadAnswer () instead of None"),
        ({"finish_reason": "length"}, "finish reason 'length' instead of 'stop'"),
        ({"prompt": ""}, "'P' is not in the prompt"),
    ],
)
def test_a_difference_is_found(fields: dict[str, object], wrong: str) -> None:
    row = Row("a row", [], Want("Yes.", reasoning="", notes=NONE, finish_reason="stop", in_prompt=["P"]))
    found = differences(row, _outcome(**fields))
    assert found == [] if not wrong else wrong in found
