"""Parse text that is almost JSON, if there is only one way to read it.

`read_object` returns valid JSON as it is. It splits any other text into tokens and passes them through the
functions in `REPAIRS`. A repair changes what is between strings, or how a string is quoted. No repair changes
what a string says: strings are never joined or cut, and only the escapes of JSON are decoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from ..completion import Json

NO_OBJECT = "no JSON object"


@dataclass(frozen=True, slots=True)
class Draft:
    """The first object of a text, and the text before and after it.

    `tokens` are the brackets, strings, words, commas and colons of the object. `missing` are the brackets
    that would close it. `names` are the known names of its keys.
    """

    before: str
    tokens: list[str]
    after: str
    missing: str
    names: Collection[str]


def read_object(text: str, names: Collection[str] = ()) -> tuple[Json, tuple[str, ...]]:
    """Return the object that the text means, and the names of the repairs that were necessary.

    `names` are the known names of its keys. Raises ValueError with the reason if there is no object, or if
    the text can mean more than one thing.
    """
    if (value := parse_object(text)) is not None:
        return value, ()
    if (value := _decode_twice(text)) is not None:
        return value, ("JSON encoded twice",)
    draft = _first_object(text, names)
    if draft.missing:
        return _parse_tokens(_close_brackets(draft)), ("brackets left open",)
    repairs = []
    for name, repair in REPAIRS.items():
        repaired = repair(draft)
        if repaired != draft:
            repairs.append(name)
        draft = repaired
    return _parse_tokens(draft), tuple(repairs)


def parse_object(text: str) -> Json | None:
    "Return the object that is the whole text, as valid JSON; None if it is anything else."
    try:
        value = parse_value(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def parse_value(text: str) -> Any:
    """Parse valid JSON.

    Raises ValueError for anything else, for infinite numbers and repeated keys, and for half of a surrogate
    pair, which no file or database can hold.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # Python also parses NaN
    except _RepeatedKey:
        raise
    except (ValueError, RecursionError):
        raise ValueError(NO_OBJECT) from None
    return value


class _RepeatedKey(ValueError):
    "A key is repeated. Parsers disagree about which of its values counts."


def _unique_keys(pairs: list[tuple[str, Any]]) -> Json:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _RepeatedKey("a key is repeated")
    return value


def _parse_tokens(draft: Draft) -> Json:
    # With spaces, so that tokens that touch after a repair do not become one.
    value: Json = parse_value(" ".join(draft.tokens))
    return value


def _decode_twice(text: str) -> Json | None:
    "Return the object in a JSON string, whose outer quotes may be missing."
    for string in (text, f'"{text.strip()}"'):
        try:
            inner = parse_value(string)
        except ValueError:
            continue
        if isinstance(inner, str) and (value := parse_object(inner)) is not None:
            return value
    return None


# Spaces that JSON allows between tokens match nothing, so they are skipped. A string without an end reaches
# to the end of the text. No alternative can fail after its first character, so the time is linear.
_TOKEN = re.compile(
    r"""[][{}:,]|"[^"\\]*(?:\\.[^"\\]*)*"?|'[^'\\]*(?:\\.[^'\\]*)*'?|[^\S \t\r\n]+|[^][{}:,"'\s]+""",
    re.DOTALL,
)
_CLOSING = {"{": "}", "[": "]"}
_SPACES = " \t\r\n"


def _first_object(text: str, names: Collection[str]) -> Draft:
    "Split the text at its first opening brace and the brace that closes it, if there is one."
    start = text.find("{")
    if start < 0:
        raise ValueError(NO_OBJECT)
    tokens: list[str] = []
    missing: list[str] = []
    end = start
    for match in _TOKEN.finditer(text, start):
        token = match.group()
        tokens.append(token)
        if token in _CLOSING:
            missing.append(_CLOSING[token])
        elif token in ("}", "]"):  # the parser finds brackets that do not match
            missing.pop()
        if not missing:
            end = match.end()
            break
    after = "" if missing else text[end:]
    return Draft(text[:start].strip(_SPACES), tokens, after.strip(_SPACES), "".join(reversed(missing)), names)


def _close_brackets(draft: Draft) -> Draft:
    """Add the missing brackets at the end of the text, if nothing else is wrong with it.

    Raises ValueError if the last value may be incomplete, or if a bracket may be missing elsewhere: in
    `{"a": {"b": 1, "c": 2}` it is missing at the end or before `, "c"`.
    """
    last = draft.tokens[-1]
    if draft.before or not (last[-1] in '"]}' or last in ("true", "false", "null")):
        raise ValueError(NO_OBJECT)
    depth = 0
    depths: dict[str, list[int]] = {"}": [], "]": []}
    path: list[str] = []
    is_ambiguous = False
    for token in draft.tokens:
        if token in _CLOSING:
            depth += 1
            path.append(_CLOSING[token])
            depths[path[-1]].append(depth)
        elif token in depths:
            depth -= 1
            depths[path.pop()].pop()
        elif token == ",":
            # If enough brackets are missing, what comes next could also belong to an outer object or array.
            # At depth 1 it cannot, because all brackets before it are closed.
            fits_outer = any(depth - outer <= len(draft.missing) for outer in depths[path[-1]][-2:-1])
            is_ambiguous = depth > 1 and (is_ambiguous or fits_outer)
    if is_ambiguous:
        raise ValueError("a bracket is missing, and it is not certain where")
    return replace(draft, tokens=[*draft.tokens, *draft.missing], missing="")


def _drop_surroundings(draft: Draft) -> Draft:
    "Drop brackets, fences and prose around the object. Raises ValueError if they contain another value."
    before, after = draft.before.rstrip("[(" + _SPACES), draft.after.lstrip("])};,." + _SPACES)
    is_empty = draft.tokens == ["{", "}"]  # such as the {} of a shell command
    is_value_of = {*_WORD.findall(before)[-1:]} & {*draft.names}
    if is_value_of or (is_empty and (before or after)) or _VALUE.search(before) or _VALUE.search(after):
        raise ValueError("there is more than one value")
    return replace(draft, before="", after="")


_VALUE = re.compile(r"""["{}\[\]=]|(?<!\w)'|'(?!\w)|(?<![\w.])-?\d|\b(?:true|false|null|True|False|None)\b""")
_WORD = re.compile(r"[\w-]+")


def _drop_foreign_spaces(draft: Draft) -> Draft:
    "Drop spaces between tokens if JSON does not allow them, such as non-breaking ones."
    return replace(draft, tokens=[token for token in draft.tokens if not token.isspace()])


def _drop_trailing_commas(draft: Draft) -> Draft:
    "Drop a comma between the last value of an object or array and the bracket that closes it."
    tokens = draft.tokens
    kept = [
        token
        for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False)
        if not (token == "," and after in ("}", "]") and before not in ("{", "["))
    ]
    return replace(draft, tokens=kept)


def _translate_constants(draft: Draft) -> Draft:
    return replace(draft, tokens=[_CONSTANTS.get(token, token) for token in draft.tokens])


_CONSTANTS = {"True": "true", "False": "false", "None": "null"}


def _double_quotes(draft: Draft) -> Draft:
    "Replace single quotes by double ones. Raises ValueError for an escape that languages disagree about."
    return replace(
        draft,
        tokens=[
            f'"{_ESCAPE_OR_QUOTE.sub(_requote, token[1:-1])}"' if token[0] == "'" else token
            for token in draft.tokens
        ],
    )


_ESCAPE_OR_QUOTE = re.compile(r'\\.|"', re.DOTALL)


def _requote(match: re.Match[str]) -> str:
    match match.group():
        case '"':
            return '\\"'
        case "\\'":
            return "'"
        case "\\/":  # one character in JSON and JavaScript, two in Python
            raise ValueError(NO_OBJECT)
        case escape:
            return escape


def _escape_control_characters(draft: Draft) -> Draft:
    return replace(
        draft,
        tokens=[
            _ESCAPE_OR_CONTROLS.sub(_escape_controls, token) if token[0] == '"' else token
            for token in draft.tokens
        ],
    )


# Escapes match too, so that a backslash before a control character stays an error.
_ESCAPE_OR_CONTROLS = re.compile(r"\\.|[\x00-\x1f]+", re.DOTALL)
_CONTROL_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)}


def _escape_controls(match: re.Match[str]) -> str:
    text = match.group()
    return text if text[0] == "\\" else text.translate(_CONTROL_ESCAPES)


# The keys are what notes show. The repairs are made in this order: control characters come after single
# quotes, because strings in either kind of quotes can contain them.
REPAIRS: dict[str, Callable[[Draft], Draft]] = {
    "text around the object": _drop_surroundings,
    "spaces that JSON does not allow": _drop_foreign_spaces,
    "a comma before a closing bracket": _drop_trailing_commas,
    "Python's constants": _translate_constants,
    "single quotes": _double_quotes,
    "control characters in a string": _escape_control_characters,
}
