from __future__ import annotations

import pytest

from llm_gpt_oss.catalog.tags import check_tag, same_model
from llm_gpt_oss.errors import BadRequest, GptOssError
from llm_gpt_oss.settings import Settings


@pytest.mark.parametrize(
    "tag",
    [
        "gpt-oss",
        "gpt-oss:20b",
        "someone/my_tune.v2:Q4_K_M",
        "hf.co/unsloth/gpt-oss-20b-GGUF:Q4",
        "127.0.0.1:5000/library/tiny",
        "https://registry.example/team/tiny:latest",
    ],
)
def test_what_ollama_takes_passes_as_it_is(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        "",
        " ",
        "-x",
        "a b",
        "a:",
        ":20b",
        "a:b:c",
        "a//b",
        "/a",
        "a/",
        "host:1/a",
        "a@sha256:1",
        "ä",
        "a\n",
        "a" * 81,
    ],
)
def test_what_it_does_not_take_is_refused(tag: str) -> None:
    with pytest.raises(BadRequest, match="namespace/model:tag") as refused:
        check_tag(tag)
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("gpt-oss-tiny", "gpt-oss-tiny:latest", True),
        ("GPT-OSS:20b", "gpt-oss:20B", True),
        ("library/gpt-oss", "gpt-oss", True),
        ("registry.ollama.ai/library/gpt-oss:latest", "gpt-oss", True),
        ("http://127.0.0.1:5000/library/a", "127.0.0.1:5000/library/a:latest", True),
        ("gpt-oss:20b", "gpt-oss", False),
        ("someone/gpt-oss", "gpt-oss", False),
        ("127.0.0.1:5000/library/a", "127.0.0.1:5001/library/a", False),
    ],
)
def test_two_spellings(one: str, other: str, answer: bool) -> None:
    assert same_model(one, other) is answer
    assert same_model(other, one) is answer


def test_a_tag_from_the_environment_names_its_variable() -> None:
    settings = Settings.from_env({"LOCAL_LLM_MODEL": "bad tag!"})
    assert check_tag("gpt-oss:20b", settings) == "gpt-oss:20b"
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL cannot be used: 'bad tag!' is not a model name"):
        check_tag("bad tag!", settings)
    with pytest.raises(BadRequest, match=r"^'another bad one' is not a model name"):
        check_tag("another bad one", settings)
