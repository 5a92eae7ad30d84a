"The real thing: torch, Transformers and the tiny model, where they are installed."

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import hugging_face

if hugging_face.MISSING:
    pytest.skip(hugging_face.WHY, allow_module_level=True)

import torch
from support.engine_prompts import done, left, model, said, text
from support.hugging_face import bare
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Piece, Sampling
from llm_gpt_oss.engines.local.model_pool import ModelPool
from llm_gpt_oss.engines.transformers import engine as transformers_engine
from llm_gpt_oss.engines.transformers import grammar
from llm_gpt_oss.engines.transformers import torch_model as torch_network
from llm_gpt_oss.engines.transformers.generation import PrefixCache, generate
from llm_gpt_oss.engines.transformers.model_folder import read_folder
from llm_gpt_oss.engines.transformers.model_thread import ModelThread
from llm_gpt_oss.engines.transformers.provider import TransformersProvider
from llm_gpt_oss.engines.transformers.sampling import Sampler
from llm_gpt_oss.engines.transformers.torch_model import TorchModel, free_gpu_memory, supports_mxfp4
from llm_gpt_oss.errors import EngineError, UnusableSchema

KIND = TransformersProvider()
COUNT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
ANSWER = "<|start|>user<|message|>Invent a dog<|end|><|start|>assistant<|channel|>final<|message|>"
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def network(weights: Path) -> TorchModel:
    return TorchModel(read_folder(weights))


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoundModel]:
    ours = ModelPool(ModelThread)
    monkeypatch.setattr(transformers_engine, "pool", lambda: ours)
    yield model("transformers", weights=str(weights))
    ours.close()


@pytest.fixture(params=[False, True], ids=["waited for", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def asked(prompt: str = COUNT, sampling: Sampling = GREEDY, **more: Any) -> Completion:
    return Completion("tiny", prompt, sampling=sampling, **more)


def written(network: TorchModel, wanted: Completion, memories: PrefixCache | None = None) -> list[Any]:
    steps = generate(network, memories or PrefixCache(network), network.tokens, wanted, 4096)
    return [item for item in steps if item is not None]


def test_it_says_what_transformers_itself_says(network: TorchModel, weights: Path) -> None:
    "Token by token, as `generate` does, well beyond the window of the layers that slide."
    own = AutoModelForCausalLM.from_pretrained(weights, dtype="auto")
    ids = torch.tensor([network.tokens.encode(COUNT)])
    ends = sorted(network.tokens.stop_tokens)
    told = own.generate(ids, max_new_tokens=400, do_sample=False, eos_token_id=ends, pad_token_id=ends[0])
    new = told[0, ids.shape[1] :].tolist()
    items = written(network, asked(max_tokens=400))
    assert len(new) > 250
    assert text(items).encode() == b"".join(map(network.tokens.token_bytes, new)).removesuffix(b"<|return|>")
    assert done(items).completion_tokens == len(new)


def test_what_is_kept_is_what_would_be_read_anew(network: TorchModel) -> None:
    "Beyond the window too: the same scores, whether the tokens were cut back, copied, or read in pieces."
    tokens = network.tokens.encode(COUNT + "".join(f" {number}" for number in range(200)))
    assert len(tokens) > 300
    whole = network.evaluate(network.new_state(), tokens)
    state = network.new_state()
    network.evaluate(state, tokens[:250])
    network.evaluate(state, tokens[100:220])
    network.drop_last(state, 120)
    assert torch.allclose(network.evaluate(state, tokens[250:]), whole, atol=1e-3)
    copied = network.copy(state, 200)
    network.evaluate(copied, tokens[:50])
    network.drop_last(copied, 50)
    assert torch.allclose(network.evaluate(copied, tokens[200:]), whole, atol=1e-3)
    # The tolerance means something: a token less is another text.
    assert not torch.allclose(network.evaluate(network.new_state(), tokens[:-1]), whole, atol=1e-3)


def test_a_conversation_goes_on_where_it_was(network: TorchModel) -> None:
    more = "<|end|><|start|>user<|message|>What is the capital of Peru?<|end|><|start|>assistant"
    memories = PrefixCache(network)
    first = text(written(network, asked(max_tokens=300), memories))
    going_on = asked(COUNT + first + more, max_tokens=100)
    assert text(written(network, going_on, memories)) == text(written(network, going_on))


def test_it_answers(tiny: BoundModel, awaited: bool) -> None:
    items = said(KIND, tiny, asked(max_tokens=60), awaited=awaited)
    assert text(items).startswith("<|channel|>analysis<|message|>")
    end = done(items)
    assert (end.reason, end.prompt_tokens, end.completion_tokens) == ("length", 13, 60)
    assert end.load_ms
    assert end.load_ms > 1
    assert left(KIND, tiny, asked(), awaited=awaited) == Piece("<|channel|>")


def test_text_beyond_ascii(network: TorchModel) -> None:
    prompt = "<|start|>user<|message|>misbehave: unicode<|end|><|start|>assistant"
    items = written(network, asked(prompt))
    assert "\u200d" in text(items), "emoji that are several characters, of several tokens each"
    assert all("\ufffd" not in item.text for item in items if isinstance(item, Piece))


def test_packed_weights_are_unpacked_where_they_cannot_stay_as_they_are(tmp_path: Path) -> None:
    folder = read_folder(hugging_face.write(tmp_path, packed=True))
    assert folder.packed_weights == 8 * 4 * 3 * 256 * 128
    france = "<|start|>user<|message|>What is the capital of France?<|end|><|start|>assistant"
    assert "The capital of France is Paris." in text(written(TorchModel(folder), asked(france)))


DOG = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 30}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_a_schema_binds_from_the_first_token_to_the_last(network: TorchModel) -> None:
    items = written(network, asked(ANSWER, format=DOG))
    dog = json.loads(text(items))
    assert list(dog) == ["name", "age"]
    assert dog["age"] >= 30
    assert done(items).reason == "stop"
    assert json.loads(text(written(network, asked(format=DOG)))), "whatever the model would have liked to say"
    assert isinstance(json.loads(text(written(network, asked(ANSWER, format="json")))), dict)


@pytest.mark.parametrize("seed", range(5))
def test_even_where_the_model_is_beside_itself(network: TorchModel, seed: int) -> None:
    hot = Sampling(temperature=20.0, seed=seed)
    items = written(network, asked(ANSWER, hot, format=DOG, max_tokens=300))
    if done(items).reason == "stop":
        assert set(json.loads(text(items))) == {"name", "age"}
    else:
        assert text(items).lstrip().startswith("{")


def test_white_space_comes_to_an_end(network: TorchModel, weights: Path) -> None:
    "A model may go on with nothing else, wherever a schema allows it."
    text = (weights / "tokenizer.json").read_text()
    bound = grammar.GrammarCompiler(text, 2048, sorted(network.tokens.stop_tokens)).compile(DOG)
    for token in network.tokens.encode('{"name": "Rex",'):
        bound.advance(token)
    [space] = network.tokens.encode(" ")
    spaces = 0
    while spaces < 100 and bound.mask(torch.zeros(2048))[space] == 0:
        bound.advance(space)
        spaces += 1
    assert spaces == 20


def test_what_cannot_be_bound_is_left_out_of_the_schema(network: TorchModel) -> None:
    ahead = {"type": "string", "pattern": "^(?=x)x$"}
    schema = {"type": "object", "properties": {"a": ahead, "b": {"const": 7}}, "required": ["a", "b"]}
    assert json.loads(text(written(network, asked(ANSWER, format=schema))))["b"] == 7


def test_a_schema_that_nothing_fits_is_refused(network: TorchModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "bindable", lambda schema: schema)
    never = {"type": "integer", "minimum": 5, "maximum": 4}
    schema = {"type": "object", "properties": {"a": never}, "required": ["a"]}
    with pytest.raises(UnusableSchema, match="The schema cannot be bound: Unsatisfiable schema"):
        written(network, asked(ANSWER, format=schema, max_tokens=9))


def test_log_probabilities(network: TorchModel) -> None:
    [piece, _] = written(network, asked(max_tokens=1, top_logprobs=3))
    [told] = piece.logprobs
    assert told.token == piece.text == told.top[0].token
    assert told.logprob == told.top[0].logprob
    assert 0 > told.top[1].logprob > told.top[2].logprob
    with torch.inference_mode():
        scores = network.evaluate(network.new_state(), network.tokens.encode(COUNT)).float()
    assert told.logprob == pytest.approx(float(torch.log_softmax(scores, -1).max()), abs=0.01)
    assert sum(torch.log_softmax(scores, -1).exp().tolist()) == pytest.approx(1, abs=0.01)
    [piece, _] = written(network, asked(max_tokens=1, top_logprobs=0))
    assert piece.logprobs[0].top == ()


def drawn(scores: list[float], text: list[int] | None = None, times: int = 300, **how: Any) -> Counter[int]:
    sampler = Sampler(asked(sampling=Sampling(**{"seed": 1, **how})), None)
    return Counter(sampler(torch.tensor(scores), text or []).token for _ in range(times))


SCORES = [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("how", "tokens"),
    [
        pytest.param({}, {0, 1, 2, 3}, id="nothing is cut off"),
        pytest.param({"temperature": 0}, {3}, id="temperature 0"),
        pytest.param({"temperature": 0.05}, {3}, id="a low temperature"),
        pytest.param({"top_k": 2}, {2, 3}, id="top_k"),
        pytest.param({"top_k": 0, "top_p": 1.0, "min_p": 0.0}, {0, 1, 2, 3}, id="values that cut nothing"),
        pytest.param({"top_p": 0.7}, {2, 3}, id="top_p"),
        pytest.param({"min_p": 0.3}, {2, 3}, id="min_p"),
        pytest.param({"min_p": 0.3, "temperature": 5.0}, {2, 3}, id="cut before the temperature"),
    ],
)
def test_what_can_be_drawn(how: dict[str, Any], tokens: set[int]) -> None:
    assert set(drawn(SCORES, **how)) == tokens


def test_a_high_temperature_levels() -> None:
    level, usual = drawn(SCORES, temperature=10.0), drawn(SCORES)
    assert level[0] > 40
    assert usual[0] < 30


def test_a_seed_says_the_same_again() -> None:
    def tokens(seed: int | None) -> list[int]:
        sampler = Sampler(asked(sampling=Sampling(seed=seed)), None)
        return [sampler(torch.zeros(1000), []).token for _ in range(10)]

    assert tokens(7) == tokens(7)
    assert tokens(7) != tokens(8)
    assert tokens(-1) == tokens(-1)
    assert tokens(None) != tokens(None)


@pytest.mark.parametrize(
    ("how", "text", "token"),
    [
        pytest.param({}, [3, 3], 3, id="none"),
        pytest.param({"repeat_penalty": 2.0}, [3], 2, id="repeat: halves what is above zero"),
        pytest.param({"presence_penalty": 1.5}, [3, 3, 3], 2, id="presence: once"),
        pytest.param({"presence_penalty": 0.9}, [3, 3, 3], 3, id="presence: only once"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3, 3], 2, id="frequency: each time"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3], 3, id="frequency: not enough"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3, 3, *[0] * 64], 3, id="what is long ago"),
    ],
)
def test_penalties(how: dict[str, Any], text: list[int], token: int) -> None:
    assert set(drawn(SCORES, text, 1, temperature=0, **how)) == {token}


def test_a_repeat_penalty_lowers_what_is_below_zero_too() -> None:
    assert set(drawn([-1.0, -1.5], [0], 1, temperature=0, repeat_penalty=2.0)) == {1}


def test_loading_says_nothing_and_leaves_all_as_it_was(
    weights: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.get_verbosity()
    logging.set_verbosity_info()
    TorchModel(read_folder(weights))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, True)
    logging.set_verbosity(before)


def test_weights_that_cannot_be_read(tmp_path: Path, awaited: bool, tiny: BoundModel, weights: Path) -> None:
    broken = bare(tmp_path / "broken")
    (broken / "tokenizer.json").write_bytes((weights / "tokenizer.json").read_bytes())
    with pytest.raises(EngineError, match=r"Transformers cannot load .*broken: "):
        said(KIND, model("transformers", weights=str(broken)), asked(), awaited=awaited)


@pytest.mark.parametrize(
    ("gpu", "capability", "triton", "kernels", "packed"),
    [
        (True, (9, 0), True, True, True),
        (True, (7, 5), True, True, True),
        (True, (7, 0), True, True, False),
        (True, (9, 0), True, False, False),
        (True, (9, 0), False, True, False),
        (False, None, True, True, False),
    ],
)
def test_where_weights_stay_packed(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, capability: Any, triton: bool, kernels: bool, packed: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch_network, "is_triton_available", lambda least: triton)
    monkeypatch.setattr(torch_network, "is_kernels_available", lambda: kernels)
    assert supports_mxfp4() is packed


def test_what_is_free_on_all_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (10 + number, 99))
    assert free_gpu_memory() == 21
