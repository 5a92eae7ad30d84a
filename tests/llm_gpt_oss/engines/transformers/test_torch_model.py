"The engine with torch, Transformers and the tiny model. Skipped if they are not installed."

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import hugging_face

if hugging_face.MISSING_PACKAGES:
    pytest.skip(hugging_face.SKIP_REASON, allow_module_level=True)

import torch
from support.engine_prompts import complete, done, first_item, model, text
from support.hugging_face import write_placeholder
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Piece, Sampling
from llm_gpt_oss.engines.local.model_pool import ModelPool
from llm_gpt_oss.engines.transformers import engine as transformers_engine
from llm_gpt_oss.engines.transformers import grammar, torch_model
from llm_gpt_oss.engines.transformers.generation import PrefixCache, generate
from llm_gpt_oss.engines.transformers.model_folder import read_folder
from llm_gpt_oss.engines.transformers.model_thread import ModelThread
from llm_gpt_oss.engines.transformers.provider import TransformersProvider
from llm_gpt_oss.engines.transformers.sampling import Sampler
from llm_gpt_oss.engines.transformers.torch_model import TorchModel, free_gpu_memory, supports_mxfp4
from llm_gpt_oss.errors import EngineError, UnusableSchema

PROVIDER = TransformersProvider()
COUNT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
ANSWER = "<|start|>user<|message|>Invent a dog<|end|><|start|>assistant<|channel|>final<|message|>"
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def tiny_model(weights: Path) -> TorchModel:
    return TorchModel(read_folder(weights))


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoundModel]:
    models = ModelPool(ModelThread)
    monkeypatch.setattr(transformers_engine, "pool", lambda: models)
    yield model("transformers", weights=str(weights))
    models.close()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def request(prompt: str = COUNT, sampling: Sampling = GREEDY, **options: Any) -> Completion:
    return Completion("tiny", prompt, sampling=sampling, **options)


def generate_items(model: TorchModel, completion: Completion, cache: PrefixCache | None = None) -> list[Any]:
    steps = generate(model, cache or PrefixCache(model), model.vocabulary, completion, 4096)
    return [item for item in steps if item is not None]


def test_same_tokens_as_generate_of_transformers(tiny_model: TorchModel, weights: Path) -> None:
    "Also beyond the sliding window."
    reference = AutoModelForCausalLM.from_pretrained(weights, dtype="auto")
    vocabulary = tiny_model.vocabulary
    ids = torch.tensor([vocabulary.encode(COUNT)])
    ends = sorted(vocabulary.stop_tokens)
    output = reference.generate(
        ids, max_new_tokens=400, do_sample=False, eos_token_id=ends, pad_token_id=ends[0]
    )
    new = output[0, ids.shape[1] :].tolist()
    items = generate_items(tiny_model, request(max_tokens=400))
    assert len(new) > 250
    assert text(items).encode() == b"".join(map(vocabulary.token_bytes, new)).removesuffix(b"<|return|>")
    assert done(items).completion_tokens == len(new)


def test_cached_states_give_the_same_logits(tiny_model: TorchModel) -> None:
    "Also beyond the sliding window: after dropping tokens, copying, and evaluating in chunks."
    tokens = tiny_model.vocabulary.encode(COUNT + "".join(f" {number}" for number in range(200)))
    assert len(tokens) > 300
    expected = tiny_model.evaluate(tiny_model.new_state(), tokens)
    state = tiny_model.new_state()
    tiny_model.evaluate(state, tokens[:250])
    tiny_model.evaluate(state, tokens[100:220])
    tiny_model.drop_last(state, 120)
    assert torch.allclose(tiny_model.evaluate(state, tokens[250:]), expected, atol=1e-3)
    copied = tiny_model.copy(state, 200)
    tiny_model.evaluate(copied, tokens[:50])
    tiny_model.drop_last(copied, 50)
    assert torch.allclose(tiny_model.evaluate(copied, tokens[200:]), expected, atol=1e-3)
    # The tolerance is small enough: without the last token the logits differ.
    shorter = tiny_model.evaluate(tiny_model.new_state(), tokens[:-1])
    assert not torch.allclose(shorter, expected, atol=1e-3)


def test_next_turn_with_a_cached_prefix(tiny_model: TorchModel) -> None:
    question = "<|end|><|start|>user<|message|>What is the capital of Peru?<|end|><|start|>assistant"
    cache = PrefixCache(tiny_model)
    first = text(generate_items(tiny_model, request(max_tokens=300), cache))
    next_turn = request(COUNT + first + question, max_tokens=100)
    assert text(generate_items(tiny_model, next_turn, cache)) == text(generate_items(tiny_model, next_turn))


def test_answer(tiny: BoundModel, awaited: bool) -> None:
    items = complete(PROVIDER, tiny, request(max_tokens=60), awaited=awaited)
    assert text(items).startswith("<|channel|>analysis<|message|>")
    end = done(items)
    assert (end.reason, end.prompt_tokens, end.completion_tokens) == ("length", 13, 60)
    assert end.load_ms
    assert end.load_ms > 1
    assert first_item(PROVIDER, tiny, request(), awaited=awaited) == Piece("<|channel|>")


def test_unicode(tiny_model: TorchModel) -> None:
    prompt = "<|start|>user<|message|>misbehave: unicode<|end|><|start|>assistant"
    items = generate_items(tiny_model, request(prompt))
    assert "\u200d" in text(items), "emoji of several characters, each of several tokens"
    assert all("\ufffd" not in item.text for item in items if isinstance(item, Piece))


def test_packed_weights_are_unpacked(tmp_path: Path) -> None:
    folder = read_folder(hugging_face.write_model(tmp_path, packed=True))
    assert folder.packed_weights == 8 * 4 * 3 * 256 * 128
    france = "<|start|>user<|message|>What is the capital of France?<|end|><|start|>assistant"
    assert "The capital of France is Paris." in text(generate_items(TorchModel(folder), request(france)))


DOG = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 30}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_schema_constrains_the_whole_text(tiny_model: TorchModel) -> None:
    items = generate_items(tiny_model, request(ANSWER, format=DOG))
    dog = json.loads(text(items))
    assert list(dog) == ["name", "age"]
    assert dog["age"] >= 30
    assert done(items).reason == "stop"
    assert json.loads(text(generate_items(tiny_model, request(format=DOG)))), (
        "also without a header in the prompt"
    )
    assert isinstance(json.loads(text(generate_items(tiny_model, request(ANSWER, format="json")))), dict)


@pytest.mark.parametrize("seed", range(5))
def test_schema_at_a_high_temperature(tiny_model: TorchModel, seed: int) -> None:
    sampling = Sampling(temperature=20.0, seed=seed)
    items = generate_items(tiny_model, request(ANSWER, sampling, format=DOG, max_tokens=300))
    if done(items).reason == "stop":
        assert set(json.loads(text(items))) == {"name", "age"}
    else:
        assert text(items).lstrip().startswith("{")


def test_white_space_is_limited(tiny_model: TorchModel, weights: Path) -> None:
    "Otherwise a model may generate nothing else wherever the schema allows it."
    tokenizer = (weights / "tokenizer.json").read_text()
    dog = grammar.GrammarCompiler(tokenizer, 2048, sorted(tiny_model.vocabulary.stop_tokens)).compile(DOG)
    for token in tiny_model.vocabulary.encode('{"name": "Rex",'):
        dog.advance(token)
    [space] = tiny_model.vocabulary.encode(" ")
    spaces = 0
    while spaces < 100 and dog.mask(torch.zeros(2048))[space] == 0:
        dog.advance(space)
        spaces += 1
    assert spaces == 20


def test_unsupported_keyword_is_ignored(tiny_model: TorchModel) -> None:
    lookahead = {"type": "string", "pattern": "^(?=x)x$"}
    schema = {"type": "object", "properties": {"a": lookahead, "b": {"const": 7}}, "required": ["a", "b"]}
    assert json.loads(text(generate_items(tiny_model, request(ANSWER, format=schema))))["b"] == 7


def test_unsatisfiable_schema_is_refused(tiny_model: TorchModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "grammar_subset", lambda schema: schema)
    never = {"type": "integer", "minimum": 5, "maximum": 4}
    schema = {"type": "object", "properties": {"a": never}, "required": ["a"]}
    with pytest.raises(UnusableSchema, match="The schema cannot constrain the answer: Unsatisfiable schema"):
        generate_items(tiny_model, request(ANSWER, format=schema, max_tokens=9))


def test_logprobs(tiny_model: TorchModel) -> None:
    [piece, _] = generate_items(tiny_model, request(max_tokens=1, top_logprobs=3))
    [logprob] = piece.logprobs
    assert logprob.token == piece.text == logprob.top[0].token
    assert logprob.logprob == logprob.top[0].logprob
    assert 0 > logprob.top[1].logprob > logprob.top[2].logprob
    with torch.inference_mode():
        logits = tiny_model.evaluate(tiny_model.new_state(), tiny_model.vocabulary.encode(COUNT)).float()
    assert logprob.logprob == pytest.approx(float(torch.log_softmax(logits, -1).max()), abs=0.01)
    assert sum(torch.log_softmax(logits, -1).exp().tolist()) == pytest.approx(1, abs=0.01)
    [piece, _] = generate_items(tiny_model, request(max_tokens=1, top_logprobs=0))
    assert piece.logprobs[0].top == ()


def sample(
    logits: list[float], tokens: list[int] | None = None, times: int = 300, **options: Any
) -> Counter[int]:
    "How often each token is sampled with these options."
    sampler = Sampler(request(sampling=Sampling(**{"seed": 1, **options})), None)
    return Counter(sampler(torch.tensor(logits), tokens or []).token for _ in range(times))


LOGITS = [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        pytest.param({}, {0, 1, 2, 3}, id="defaults exclude nothing"),
        pytest.param({"temperature": 0}, {3}, id="temperature 0"),
        pytest.param({"temperature": 0.05}, {3}, id="low temperature"),
        pytest.param({"top_k": 2}, {2, 3}, id="top_k"),
        pytest.param(
            {"top_k": 0, "top_p": 1.0, "min_p": 0.0}, {0, 1, 2, 3}, id="values that exclude nothing"
        ),
        pytest.param({"top_p": 0.7}, {2, 3}, id="top_p"),
        pytest.param({"min_p": 0.3}, {2, 3}, id="min_p"),
        pytest.param({"min_p": 0.3, "temperature": 5.0}, {2, 3}, id="min_p before temperature"),
    ],
)
def test_filters(options: dict[str, Any], tokens: set[int]) -> None:
    assert set(sample(LOGITS, **options)) == tokens


def test_high_temperature_flattens_the_distribution() -> None:
    flat, default = sample(LOGITS, temperature=10.0), sample(LOGITS)
    assert flat[0] > 40
    assert default[0] < 30


def test_seed() -> None:
    def tokens(seed: int | None) -> list[int]:
        sampler = Sampler(request(sampling=Sampling(seed=seed)), None)
        return [sampler(torch.zeros(1000), []).token for _ in range(10)]

    assert tokens(7) == tokens(7)
    assert tokens(7) != tokens(8)
    assert tokens(-1) == tokens(-1)
    assert tokens(None) != tokens(None)


@pytest.mark.parametrize(
    ("options", "tokens", "token"),
    [
        pytest.param({}, [3, 3], 3, id="none"),
        pytest.param({"repeat_penalty": 2.0}, [3], 2, id="repeat: halves a positive logit"),
        pytest.param({"presence_penalty": 1.5}, [3, 3, 3], 2, id="presence: enough"),
        pytest.param({"presence_penalty": 0.9}, [3, 3, 3], 3, id="presence: counts once"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3, 3], 2, id="frequency: counts each time"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3], 3, id="frequency: not enough"),
        pytest.param({"frequency_penalty": 0.4}, [3, 3, 3, *[0] * 64], 3, id="outside of the window"),
    ],
)
def test_penalties(options: dict[str, Any], tokens: list[int], token: int) -> None:
    assert set(sample(LOGITS, tokens, 1, temperature=0, **options)) == {token}


def test_repeat_penalty_lowers_negative_logits_too() -> None:
    assert set(sample([-1.0, -1.5], [0], 1, temperature=0, repeat_penalty=2.0)) == {1}


def test_loading_is_quiet_and_restores_the_log_level(
    weights: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.get_verbosity()
    logging.set_verbosity_info()
    TorchModel(read_folder(weights))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, True)
    logging.set_verbosity(before)


def test_damaged_weights(tmp_path: Path, awaited: bool, tiny: BoundModel, weights: Path) -> None:
    broken = write_placeholder(tmp_path / "broken")
    (broken / "tokenizer.json").write_bytes((weights / "tokenizer.json").read_bytes())
    with pytest.raises(EngineError, match=r"Transformers cannot load .*broken: "):
        complete(PROVIDER, model("transformers", weights=str(broken)), request(), awaited=awaited)


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
def test_supports_mxfp4(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, capability: Any, triton: bool, kernels: bool, packed: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch_model, "is_triton_available", lambda minimum: triton)
    monkeypatch.setattr(torch_model, "is_kernels_available", lambda: kernels)
    assert supports_mxfp4() is packed


def test_free_memory_of_all_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (10 + number, 99))
    assert free_gpu_memory() == 21
