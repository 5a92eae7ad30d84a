"""Does a value fit its JSON schema?"""

from __future__ import annotations

from typing import Any

from .completion import Json


def misfit(value: Any, schema: Json) -> str | None:
    """The chief reason why `value` does not fit, with its place; None where it fits.

    A schema that cannot check anything (invalid, or with references that lead nowhere or
    in a circle) fits everything:
    its author has to mend that, not the model. References to other documents are never fetched.
    """
    # Imported here: it costs more than the whole plugin, and is needed only once there is something to check.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if flaw(schema):
        return None
    validator = validator_for(schema, default=Draft202012Validator)
    try:
        error = best_match(validator(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError):
        return None
    return f"{error.json_path}: {error.message}" if error else None


def flaw(schema: Json) -> str | None:
    "Why this is no JSON schema, with the place; None where it is one."
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    return None
