"Fields that a body's model does not have."

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from pydantic import Field

from proxy.http.body_model import Body, LenientBody
from proxy.http.errors import ApiError
from proxy.http.field_table import FieldTable, honoured, no_effect, refused, translated
from proxy.http.request_body import parse_body
from proxy.http.unknown_fields import MAX_NAMED, unknown_fields


class Inner(Body):
    name: str = ""
    schema_: dict[str, Any] | None = Field(alias="schema", default=None)
    more: Inner | None = Field(alias="in", default=None)


class Message(LenientBody):
    text: str = ""
    part: Inner | None = None


class Outer(Body):
    FIELDS: ClassVar[FieldTable] = FieldTable(
        {
            "limit": honoured(),
            "hint": no_effect(),
            "bad": refused("it is bad. Send good", "", []),
            "options.hint": no_effect(),
            "options.bad": refused("it is bad, too"),
            "options.limit": translated("limit"),
            "inners.hint": no_effect(),
        }
    )

    limit: int | None = None
    inner: Inner | None = None
    inners: list[Inner] | None = None
    messages: list[Message] | None = None
    anything: Any = None


@pytest.mark.parametrize(
    ("sent", "paths"),
    [
        pytest.param({}, [], id="empty"),
        pytest.param({"x": 1, "y": {"z": 1}}, ["x", "y"], id="unknown"),
        pytest.param({"x": None, "inner": {"y": None}}, [], id="null"),
        pytest.param({"hint": 1}, [], id="no effect"),
        pytest.param({"messages": [{"x": 1, "part": {"y": 1}}]}, [], id="in the history"),
        pytest.param({"bad": ""}, [], id="refused, but it requests nothing"),
        pytest.param(
            {"options": {"hint": 1, "x": 1, "y": None}}, ["options.x"], id="in an object of the table"
        ),
        pytest.param({"options": 5}, ["options"], id="what should be an object"),
        pytest.param({"options": {}}, [], id="an empty object"),
        pytest.param({"inner": {"x": 1, "in": {"y": 1}}}, ["inner.x", "inner.in.y"], id="objects"),
        pytest.param({"inners": [{}, {"x": 1, "hint": 1}]}, ["inners[1].x"], id="lists"),
        pytest.param({"inner": {"schema": {"x": 1}}, "anything": {"x": 1}}, [], id="values of any kind"),
        pytest.param({"messages": [{"x": 1}]}, [], id="the history"),
        pytest.param(
            {"schema_": 1, "inner": {"schema_": 1}}, ["schema_", "inner.schema_"], id="our own names"
        ),
        pytest.param({"model_dump": 1, "FIELDS": 2}, ["model_dump", "FIELDS"], id="names of attributes"),
        pytest.param({"hint.x": 1, "options.hint": 2}, ["hint.x", "options.hint"], id="names with dots"),
        pytest.param({"x" * 200: 1}, ["x" * 100], id="a long name"),
    ],
)
def test_unknown_fields(sent: dict[str, Any], paths: list[str]) -> None:
    assert unknown_fields(Outer.model_validate(sent)) == (*paths,)


def test_not_all_of_many_are_named() -> None:
    paths = unknown_fields(Outer.model_validate({f"x{number}": 1 for number in range(1000)}))
    assert (len(paths), paths[0], paths[-1]) == (MAX_NAMED + 1, "x0", "...")


@pytest.mark.parametrize(
    ("sent", "param", "reason"),
    [
        pytest.param({"bad": 0}, "bad", "it is bad. Send good", id="field"),
        pytest.param({"options": {"bad": "x"}}, "options.bad", "it is bad, too", id="in an object"),
    ],
)
def test_refused_fields(sent: dict[str, Any], param: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        unknown_fields(Outer.model_validate(sent))
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)
    assert caught.value.message == f"'{param}' is not supported here: {reason}."


def parse(sent: Any, *, strict: bool = False) -> Any:
    return parse_body(json.dumps(sent).encode(), Outer, strict=strict)


def test_ignored() -> None:
    received = parse({"x": 1, "options": {"limit": 5}})
    assert (received.ignored, received.translated) == (("x",), True)
    assert (received.json, received.model.limit) == ({"x": 1, "limit": 5}, 5)


def test_nothing_is_ignored() -> None:
    received = parse({"limit": 5})
    assert (received.ignored, received.translated) == ((), False)


@pytest.mark.parametrize(
    ("sent", "param"), [({"x": 1}, "x"), ({"inners": [{"x": 1}]}, "inners[0].x")], ids=["field", "nested"]
)
def test_strict(sent: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(sent, strict=True)
    assert (caught.value.status, caught.value.code) == (400, "unknown_parameter")
    assert (caught.value.param, caught.value.message) == (param, f"Unknown parameter: '{param}'.")


def test_strict_accepts_what_is_known() -> None:
    assert parse({"hint": 1, "options": {"limit": 5}, "x": None}, strict=True).model.limit == 5


def test_errors_name_the_field_that_was_sent() -> None:
    with pytest.raises(ApiError) as caught:
        parse({"options": {"limit": "5"}})
    assert (caught.value.code, caught.value.param) == ("invalid_type", "options.limit")
