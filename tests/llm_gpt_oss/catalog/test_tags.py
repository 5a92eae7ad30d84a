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
def test_valid_tags(tag: str) -> None:
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
def test_invalid_tags(tag: str) -> None:
    with pytest.raises(BadRequest, match="namespace/model:tag") as refused:
        check_tag(tag)
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    ("tag", "other", "same"),
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
def test_same_model(tag: str, other: str, same: bool) -> None:
    assert same_model(tag, other) is same
    assert same_model(other, tag) is same


def test_error_for_an_invalid_tag_in_the_environment_names_the_variable() -> None:
    settings = Settings.from_env({"LOCAL_LLM_MODEL": "bad tag!"})
    assert check_tag("gpt-oss:20b", settings) == "gpt-oss:20b"
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL cannot be used: 'bad tag!' is not a model name"):
        check_tag("bad tag!", settings)
    with pytest.raises(BadRequest, match=r"^'another bad one' is not a model name"):
        check_tag("another bad one", settings)
