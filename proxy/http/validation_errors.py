"""What pydantic finds wrong with a request, in OpenAI's words: message, code, and the path of the parameter.

The codes are those that OpenAI's API was seen to answer with; it documents none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from .errors import ApiError, error_response

Step = str | int
# A body can be wrong in a million places: the first few tell.
ENOUGH = 50
SHOWN = 100

WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
    # Of literals; those of another type than theirs.
    "literal_error": "a string",
}
# In JSON's words, bool before the int that it is.
SENT: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)
BOUNDS = {
    "greater_than_equal": ("ge", "below_min_value", "below minimum", ">="),
    "greater_than": ("gt", "below_min_value", "below minimum", ">"),
    "less_than_equal": ("le", "above_max_value", "above maximum", "<="),
    "less_than": ("lt", "above_max_value", "above maximum", "<"),
}
# What has a length, and what OpenAI's codes call that.
LENGTHS: dict[type, tuple[str, str]] = {
    str: ("string", "length"),
    list: ("array", "length"),
    dict: ("object", "properties"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    "One of pydantic's errors: `path` leads to the value at fault, or to where it should be."

    kind: str
    path: tuple[Step, ...]
    sent: Any
    context: Mapping[str, Any]
    message: str

    @property
    def wanted(self) -> str | None:
        "What should have been there in place of a value of this type; None where the type is not at fault."
        if self.kind == "literal_error" and isinstance(self.sent, str):
            return None
        return WANTED.get(self.kind)


def validation_api_error(errors: Sequence[Mapping[str, Any]], sent: Any) -> ApiError:
    "About the first thing in `sent` that is wrong."
    problems = [_problem(error, sent) for error in islice(errors, ENOUGH)]
    first = problems[0].path
    # The alternatives of a union complain one by one: the one that got furthest is the one that was meant.
    related = [each for each in problems if each.path[: len(first)] == first[: len(each.path)]]
    furthest = max(len(each.path) for each in related)
    deepest = [each for each in related if len(each.path) == furthest and each.path[: len(first)] == first]
    worst = min(deepest, key=_weight)
    if worst.wanted is None:
        return _told(worst)
    return _wrong_type([each.wanted for each in deepest if each.wanted], worst)


def _weight(problem: Problem) -> int:
    "Of several at one place: a value was meant for the alternative that has it, and of those for its type."
    return 2 if problem.kind == "extra_forbidden" else 1 if problem.wanted else 0


async def handle_validation_error(http: Request, error: Exception) -> JSONResponse:
    "About a parameter of the address."
    assert isinstance(error, RequestValidationError)
    errors = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    return error_response(validation_api_error(errors, {**http.query_params, **http.path_params}))


def path_text(path: Iterable[Step]) -> str:
    "`messages[0].content`"
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _problem(error: Mapping[str, Any], sent: Any) -> Problem:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    loc: tuple[Step, ...] = error["loc"]
    behind: tuple[Step, ...] = ()
    if kind == "missing":
        loc, behind = loc[:-1], loc[-1:]
    elif kind.startswith("union_tag_"):
        behind = (context["discriminator"].strip("'"),)
    readings = [*_readings(loc, sent), (loc, None)]
    path = next((path for path, at in readings if at == value), readings[0][0])
    if kind.startswith("union_tag_"):
        kind, value = ("literal_error", value[behind[0]]) if behind[0] in value else ("missing", value)
        context = {"expected": context.get("expected_tags")}
    return Problem(kind, (*path, *behind), value, context, error["msg"])


def _readings(loc: tuple[Step, ...], value: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Where `loc` may lead to in `value`: pydantic puts names of its own between the client's, those of the
    alternatives that it tried, and they may be the same words."""
    if not loc:
        yield (), value
        return
    step, rest = loc[0], loc[1:]
    if step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value)):
        yield from (((step, *path), at) for path, at in _readings(rest, value[step]))
    if isinstance(step, str):
        yield from _readings(rest, value)


def _wrong_type(wanted: Sequence[str], problem: Problem) -> ApiError:
    several = list(dict.fromkeys(wanted))
    expected = several[0] if len(several) == 1 else f"one of {', '.join(several[:-1])} or {several[-1]}"
    got = next((name for type_, name in SENT if isinstance(problem.sent, type_)), "null")
    param = path_text(problem.path)
    where = f"'{param}'" if param else "the body"
    message = f"Invalid type for {where}: expected {expected}, but got {got} instead."
    return ApiError(400, message, code="invalid_type", param=param or None)


def _told(problem: Problem) -> ApiError:
    param = path_text(problem.path)
    code, message = "invalid_value", f"Invalid value for '{param}': {problem.message}."
    match problem.kind:
        case "missing":
            code, message = "missing_required_parameter", f"Missing required parameter: '{param}'."
        case "extra_forbidden":
            code, message = "unknown_parameter", f"Unknown parameter: '{param}'."
        case "literal_error" | "enum":
            got, expected = str(problem.sent)[:SHOWN], problem.context["expected"]
            message = f"Invalid value for '{param}': '{got}'. Supported values are: {expected}."
        case "too_short" | "too_long" | "string_too_short" | "string_too_long":
            code, message = _length(param, problem)
        case "string_pattern_mismatch":
            message = f"Invalid '{param}': it should match '{problem.context['pattern']}'."
        case "value_error" | "assertion_error":
            message = f"Invalid value for '{param}': {problem.message.partition(', ')[2]}."
        case kind if kind in BOUNDS:
            code, message = _bound(param, problem)
    return ApiError(400, message, code=code, param=param)


def _bound(param: str, problem: Problem) -> tuple[str, str]:
    name, code, how, sign = BOUNDS[problem.kind]
    limit = problem.context[name]
    number = "integer" if isinstance(limit, int) else "decimal"
    expected = f"Expected a value {sign} {limit:g}, but got {str(problem.sent)[:SHOWN]} instead."
    return f"{number}_{code}", f"Invalid '{param}': {number} {how} value. {expected}"


def _length(param: str, problem: Problem) -> tuple[str, str]:
    context, length = problem.context, len(problem.sent)
    kind, measure = LENGTHS[type(problem.sent)]
    if not length:
        return (
            f"empty_{kind}",
            f"Invalid '{param}': empty {kind}. Expected a length of {context['min_length']} or more.",
        )
    if "max_length" in context:
        code, how, bound = "above_max", "long", f"at most {context['max_length']}"
    else:
        code, how, bound = "below_min", "short", f"at least {context['min_length']}"
    message = f"Invalid '{param}': {kind} too {how}. Expected a length of {bound}, but got {length} instead."
    return f"{kind}_{code}_{measure}", message
