"""Does a value fit its JSON schema?"""

from __future__ import annotations

import re
from typing import Any

from .completion import Json


def misfit(value: Any, schema: Json) -> str | None:
    """The chief reason why `value` does not fit, with its place; None where it fits.

    A schema that cannot check it (invalid, references that lead nowhere or in a circle, patterns that are not
    Python's) fits everything: its author has to mend that, not the model. References to other documents are
    never fetched.
    """
    # Imported here: it costs more than the whole plugin, and is needed only once there is something to check.
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if flaw(schema):
        return None
    try:
        error = best_match(_dialect(schema)(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError, OverflowError, re.error):
        return None
    return f"{error.json_path}: {error.message}" if error else None


def flaw(schema: Json) -> str | None:
    "Why this is no JSON schema, with the place; None where it is one."
    from jsonschema import FormatChecker
    from jsonschema.exceptions import SchemaError

    try:
        # Without the usual checks of formats: a pattern that Python cannot read may be fine elsewhere.
        _dialect(schema).check_schema(schema, FormatChecker(()))
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    except RecursionError:
        return "it is nested too deep"
    return None


def _dialect(schema: Json) -> Any:
    "The JSON schema that `$schema` names, else the newest."
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    try:
        return validator_for(schema, default=Draft202012Validator)
    except (ValueError, TypeError, AttributeError):  # what is named there is no address at all
        return Draft202012Validator
