"""Words pydantic's validation errors as OpenAI's API does: a message, a code, and the path of the parameter.

OpenAI does not document the codes. These were seen in answers of its API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from .errors import ApiError, error_response

Step = str | int
# A body can have a million errors. Only the first of them are looked at.
MAX_ERRORS = 50
# An invalid value is quoted up to this length.
MAX_QUOTED = 100
# An index or a name in a path such as `messages[0].content`.
PATH_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")

MISSING = "missing_required_parameter"

# What pydantic's error types expected, in JSON's words.
EXPECTED = {
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
    # All literals of our models are strings.
    "literal_error": "a string",
}
# The types of values in JSON's words. bool comes before int, of which it is a subclass.
JSON_TYPES: tuple[tuple[type, str], ...] = (
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
# For types with a length: the words of OpenAI's codes for the type and for the length.
LENGTHS: dict[type, tuple[str, str]] = {
    str: ("string", "length"),
    list: ("array", "length"),
    dict: ("object", "properties"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    "One of pydantic's errors. `path` leads to the invalid value, or to where a missing one should be."

    type: str
    path: tuple[Step, ...]
    value: Any
    context: Mapping[str, Any]
    message: str

    @property
    def expected(self) -> str | None:
        "The type that was expected, in JSON's words; None if the value has the right type."
        if self.type == "literal_error" and isinstance(self.value, str):
            return None
        return EXPECTED.get(self.type)


def validation_api_error(
    errors: Sequence[Mapping[str, Any]], json: Any, sources: Mapping[tuple[str, ...], tuple[str, ...]] = {}
) -> ApiError:
    """Return the error about the first invalid value in `json`. `errors` are pydantic's.

    `sources` has the paths that the client used for those that were translated (`field_table.translate`).
    """
    problems = [_problem(error, json) for error in islice(errors, MAX_ERRORS)]
    first = problems[0].path
    # Each alternative of a union has its own errors. The client probably meant the alternative that matched
    # furthest.
    related = [each for each in problems if each.path[: len(first)] == first[: len(each.path)]]
    furthest = max(len(each.path) for each in related)
    deepest = [each for each in related if len(each.path) == furthest and each.path[: len(first)] == first]
    worst = min(deepest, key=lambda problem: problem.expected is not None)
    for target, source in sources.items():
        if worst.path[: len(target)] == target:
            worst = replace(worst, path=(*source, *worst.path[len(target) :]))
    if worst.expected is None:
        return _invalid_value(worst)
    return _invalid_type([each.expected for each in deepest if each.expected], worst)


async def handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    "Answer an invalid parameter in the path or the query."
    assert isinstance(error, RequestValidationError)
    errors = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    api_error = validation_api_error(errors, {**request.query_params, **request.path_params})
    return error_response(api_error, request.scope)


def path_text(path: Iterable[Step]) -> str:
    "Return the path as OpenAI writes it, such as `messages[0].content`."
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def parse_path(text: str) -> tuple[Step, ...]:
    "Return the path of a text that `path_text` wrote."
    return tuple(int(index) if index else name for index, name in PATH_STEP.findall(text))


def _problem(error: Mapping[str, Any], json: Any) -> Problem:
    type_, context, value = error["type"], error.get("ctx", {}), error["input"]
    location: tuple[Step, ...] = error["loc"]
    missing: tuple[Step, ...] = ()
    if type_ == "missing":
        location, missing = location[:-1], location[-1:]
    elif type_.startswith("union_tag_"):
        missing = (context["discriminator"].strip("'"),)
    candidates = [*_candidates(location, json), (location, None)]
    path = next((path for path, found in candidates if found == value), candidates[0][0])
    if type_.startswith("union_tag_"):
        tag = missing[0]
        type_, value = ("literal_error", value[tag]) if tag in value else ("missing", value)
        context = {"expected": context.get("expected_tags")}
    return Problem(type_, (*path, *missing), value, context, error["msg"])


def _candidates(location: tuple[Step, ...], json: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Yield the paths in `json` that a pydantic location may stand for, and the value at each.

    pydantic adds the names of the union alternatives that it tried. They can be the same as names of fields.
    """
    if not location:
        yield (), json
        return
    step, rest = location[0], location[1:]
    if step in json if isinstance(json, dict) else isinstance(json, list) and step in range(len(json)):
        yield from (((step, *path), found) for path, found in _candidates(rest, json[step]))
    if isinstance(step, str):
        yield from _candidates(rest, json)


def _invalid_type(expected: Sequence[str], problem: Problem) -> ApiError:
    names = list(dict.fromkeys(expected))
    expectation = names[0] if len(names) == 1 else f"one of {', '.join(names[:-1])} or {names[-1]}"
    actual = next((name for cls, name in JSON_TYPES if isinstance(problem.value, cls)), "null")
    param = path_text(problem.path)
    where = f"'{param}'" if param else "the body"
    message = f"Invalid type for {where}: expected {expectation}, but got {actual} instead."
    return ApiError(400, message, code="invalid_type", param=param or None)


def _invalid_value(problem: Problem) -> ApiError:
    param = path_text(problem.path)
    code, message = "invalid_value", f"Invalid value for '{param}': {problem.message}."
    match problem.type:
        case "missing":
            code, message = MISSING, f"Missing required parameter: '{param}'."
        case "literal_error" | "enum":
            value, supported = str(problem.value)[:MAX_QUOTED], problem.context["expected"]
            message = f"Invalid value for '{param}': '{value}'. Supported values are: {supported}."
        case "too_short" | "too_long" | "string_too_short" | "string_too_long":
            code, message = _length(param, problem)
        case "string_pattern_mismatch":
            message = f"Invalid '{param}': it should match '{problem.context['pattern']}'."
        case "value_error" | "assertion_error":
            message = f"Invalid value for '{param}': {problem.message.partition(', ')[2]}."
        case type_ if type_ in BOUNDS:
            code, message = _bound(param, problem)
    return ApiError(400, message, code=code, param=param)


def _bound(param: str, problem: Problem) -> tuple[str, str]:
    "Return the code and the message for a number that is too small or too large."
    name, code, relation, sign = BOUNDS[problem.type]
    limit = problem.context[name]
    number = "integer" if isinstance(limit, int) else "decimal"
    expectation = f"Expected a value {sign} {limit:g}, but got {str(problem.value)[:MAX_QUOTED]} instead."
    return f"{number}_{code}", f"Invalid '{param}': {number} {relation} value. {expectation}"


def _length(param: str, problem: Problem) -> tuple[str, str]:
    "Return the code and the message for a string, array or object that is too short or too long."
    context, length = problem.context, len(problem.value)
    type_name, measure = LENGTHS[type(problem.value)]
    if not length:
        return (
            f"empty_{type_name}",
            f"Invalid '{param}': empty {type_name}. Expected a length of {context['min_length']} or more.",
        )
    if "max_length" in context:
        code, adjective, bound = "above_max", "long", f"at most {context['max_length']}"
    else:
        code, adjective, bound = "below_min", "short", f"at least {context['min_length']}"
    message = (
        f"Invalid '{param}': {type_name} too {adjective}. "
        f"Expected a length of {bound}, but got {length} instead."
    )
    return f"{type_name}_{code}_{measure}", message
