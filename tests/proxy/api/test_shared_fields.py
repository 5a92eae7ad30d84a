"Shared fields of requests. The rest is tested with each endpoint."

from __future__ import annotations

import pytest
from llm.parts import Message, TextPart

from proxy.api.shared_fields import Sampling, Verbosity, clamp, refuse_unsupported, verbosity_instructions
from proxy.http.body_model import Decision
from proxy.http.errors import ApiError

FIELDS: dict[str, tuple[Decision, str]] = {
    "model": ("honoured", ""),
    "audio": ("refused", "there is no voice"),
    "user": ("no effect", ""),
}


@pytest.mark.parametrize(("count", "expected"), [(None, None), (-1, 0), (0, 0), (7, 7), (2**40, 2**31 - 1)])
def test_clamp(count: int | None, expected: int | None) -> None:
    assert clamp(count) == expected


@pytest.mark.parametrize(
    ("verbosity", "texts"),
    [(None, []), ("low", ["Answer briefly."]), ("medium", []), ("high", ["Answer at length and in detail."])],
)
def test_verbosity(verbosity: Verbosity | None, texts: list[str]) -> None:
    assert [*verbosity_instructions(verbosity)] == [Message("system", [TextPart(text)]) for text in texts]


def test_no_sampling_options() -> None:
    assert {value for _, value in Sampling().sampling_options()} == {None}


def refused_field(body: dict[str, object]) -> str | None:
    try:
        refuse_unsupported(body, FIELDS, {"audio": ({},)})
    except ApiError as error:
        return error.param
    return None


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, None),
        ({"audio": None}, None),
        ({"audio": {}}, None),
        ({"audio": {"voice": "ash"}}, "audio"),
        ({"audio": []}, "audio"),
        ({"model": "gpt-oss", "user": "me"}, None),
    ],
)
def test_refused_fields(body: dict[str, object], refused: str | None) -> None:
    assert refused_field(body) == refused


def test_unsupported_fields() -> None:
    with pytest.raises(ApiError) as caught:
        refuse_unsupported({"audio": {}}, FIELDS)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "audio")
    assert "there is no voice" in caught.value.message
