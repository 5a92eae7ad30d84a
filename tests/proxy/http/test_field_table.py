"Tables of fields, and the translation by them."

from __future__ import annotations

from typing import Any

import pytest

from proxy.http.errors import ApiError
from proxy.http.field_table import FieldTable, honoured, no_effect, refused, translate, translated


def upper(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("it should be a text")
    return value.upper() or None


TABLE = FieldTable(
    {
        "loud": honoured(),
        "word": honoured("", upper),
        "inner.word": honoured("", upper),
        "first": translated("loud"),
        "second": translated("loud", upper),
        "options.loud": translated("loud"),
        "options.deep.word": translated("inner.word"),
        "to_inner": translated("inner.kept"),
        "hint": no_effect(),
        "options.hint": no_effect(),
        "bad": refused("it is bad", "", []),
    }
)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({}, {}, id="empty"),
        pytest.param({"loud": 1, "other": {"x": 1}}, {"loud": 1, "other": {"x": 1}}, id="nothing to do"),
        pytest.param({"first": 1}, {"loud": 1}, id="renamed"),
        pytest.param({"second": "a"}, {"loud": "A"}, id="converted"),
        pytest.param({"second": ""}, {}, id="a value that requests nothing"),
        pytest.param({"first": None}, {"first": None}, id="null"),
        pytest.param({"loud": 2, "first": 1}, {"loud": 2}, id="what is there already wins"),
        pytest.param({"loud": None, "first": 1}, {"loud": 1}, id="null is not there"),
        pytest.param({"loud": False, "first": 1}, {"loud": False}, id="false is there"),
        pytest.param({"second": "b", "first": "a"}, {"loud": "a"}, id="the first row wins"),
        pytest.param({"word": "a"}, {"word": "A"}, id="another form of the same field"),
        pytest.param({"word": ""}, {"word": None}, id="a form that requests nothing"),
        pytest.param({"inner": {"word": "a", "x": 1}}, {"inner": {"word": "A", "x": 1}}, id="in an object"),
        pytest.param({"options": {"loud": 1}}, {"loud": 1}, id="out of an object"),
        pytest.param({"options": {"loud": 1, "x": 2}}, {"loud": 1, "options": {"x": 2}}, id="the rest stays"),
        pytest.param(
            {"options": {"deep": {"word": "a"}}}, {"inner": {"word": "a"}}, id="from object to object"
        ),
        pytest.param({"to_inner": 1, "inner": {"x": 2}}, {"inner": {"x": 2, "kept": 1}}, id="into an object"),
        pytest.param({"to_inner": 1, "inner": 5}, {"inner": 5}, id="into what should be an object"),
        pytest.param({"options": "loud"}, {"options": "loud"}, id="not an object"),
        pytest.param({"options.loud": 1}, {"options.loud": 1}, id="a name with a dot"),
    ],
)
def test_translate(sent: dict[str, Any], expected: dict[str, Any]) -> None:
    before = repr(sent)
    assert translate(sent, TABLE).body == expected
    assert repr(sent) == before


@pytest.mark.parametrize("sent", [[], "x", 5, None])
def test_other_json_is_left_as_it_is(sent: Any) -> None:
    assert translate(sent, TABLE) == (sent, {}, ())


def test_a_body_that_needs_no_translation_is_not_copied() -> None:
    sent = {"loud": 1, "word": None, "inner": {}}
    assert translate(sent, TABLE)[0] is sent


@pytest.mark.parametrize(
    ("sent", "overruled"),
    [
        pytest.param({"loud": 2, "first": 1}, [("first",)], id="another value"),
        pytest.param({"loud": 2, "options": {"loud": 1}}, [("options", "loud")], id="in an object"),
        pytest.param({"second": "b", "first": "a"}, [("second",)], id="two translations"),
        pytest.param({"loud": 1, "first": 1}, [], id="the same value"),
        pytest.param({"loud": 1, "first": None}, [], id="null"),
        pytest.param({"loud": 1, "second": ""}, [], id="a value that requests nothing"),
    ],
)
def test_overruled(sent: dict[str, Any], overruled: list[tuple[str, ...]]) -> None:
    assert translate(sent, TABLE).overruled == overruled


def test_sources() -> None:
    translation = translate({"options": {"loud": 1}, "to_inner": 2, "word": "a"}, TABLE)
    assert translation.sources == {("loud",): ("options", "loud"), ("inner", "kept"): ("to_inner",)}


@pytest.mark.parametrize(
    ("sent", "param"), [({"second": 5}, "second"), ({"inner": {"word": []}}, "inner.word")]
)
def test_values_that_cannot_be_converted(sent: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(sent, TABLE)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_value", param)
    assert caught.value.message == f"Invalid value for '{param}': it should be a text."


def test_objects() -> None:
    assert TABLE.objects == {("inner",), ("options",), ("options", "deep")}
