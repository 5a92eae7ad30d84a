"""Bad values for the locations of a body, as JSON text of about a given size.

As text, because some are no values in Python: lone surrogates, numbers of a million digits, and nests that
are deeper than Python's own encoder can write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from .locations import ItemMaker, Location, LocationType

# Makes JSON text of about this many bytes.
Payload = Callable[[int], str]

DEPTH = 150
MARKERS = ("<|start|>", "<|end|>", "<|channel|>", "<|message|>", "<|call|>", "<|constrain|>", "<|return|>")
# Texts that are repeated.
PATTERNS = (
    *(
        "a",
        " ",
        "\n",
        "\t",
        "#",
        "<",
        ">",
        "{",
        "[",
        '"',
        "\\",
        "'",
        "`",
        "/",
        "0",
        "-",
        ",",
        "|",
        "*",
        "\x00",
    ),
    *("é", "😀", "\u2028", "ﷺ", "\r\n", " \n", "a ", "A\n"),
    *MARKERS,
    *("<|", "|>", "<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>final<|message|>x<|end|>"),
    *("assistant to=functions.x<|channel|>commentary json<|message|>", "<|start|>user<|message|>x<|end|>"),
    *(
        "# Tools\n",
        "# Valid channels: ",
        "## functions\n",
        "namespace functions {\n",
        "```json\n",
        "```",
        "<think>",
    ),
    *(
        '{"a":',
        '{"a":1},',
        "[[],",
        '\\"',
        "\\\\",
        "\\u",
        "// x\n",
        "/* ",
        "a:",
        "{a:1,",
        "'a',",
        "True,",
        "NaN,",
    ),
    *(
        "<a ",
        "</a>",
        "<tool_call>",
        "<b><i>",
        "&amp;",
        "%25",
        "../",
        "data:image/png;base64,",
        "http://a.b/?",
    ),
    *("a@", "a.", "1.", "::", "=;", "x-anthropic-billing-header: ", "resp_", "call_x,"),
)
# What stands before and after a run of white space, or of letters.
EDGES = (
    ("#", "x"),
    ("# ", "!"),
    ("<|", "|"),
    ("<", "x"),
    ("`", "x"),
    ("{", "x"),
    ('"', "x"),
    ("[", ","),
    ("x", ""),
)


def repeated(text: str, start: str = "", end: str = "") -> Payload:
    def payload(size: int) -> str:
        written = len(json.dumps(text, ensure_ascii=False).encode()) - 2
        return json.dumps(start + text * (size // written) + end, ensure_ascii=False)

    return payload


def nested(start: str, middle: str, end: str, depth: int | None = None) -> Payload:
    "Without a depth, as deep as the size allows."

    def payload(size: int) -> str:
        levels = size // len(start + end) if depth is None else depth
        return start * levels + middle + end * levels

    return payload


def listed(entry: str, brackets: str = "[]") -> Payload:
    return lambda size: brackets[0] + ",".join([entry] * (size // (len(entry) + 1))) + brackets[1]


def numbered(entry: str, brackets: str = "[]") -> Payload:
    "A `%d` in the entry becomes its number."

    def payload(size: int) -> str:
        written = len(entry) + 5
        return (
            brackets[0] + ",".join(entry.replace("%d", str(n)) for n in range(size // written)) + brackets[1]
        )

    return payload


def quoted(payload: Payload) -> Payload:
    "The JSON text as a string, for arguments of tools."
    return lambda size: json.dumps(payload(size))


def entries(make: ItemMaker, distinct: bool) -> Payload:
    def payload(size: int) -> str:
        count = size // (len(json.dumps(make(10_000, distinct))) + 2)
        return json.dumps([make(n, distinct) for n in range(count)])

    return payload


STRINGS: Mapping[str, Payload] = {
    **{f"many {text!r}": repeated(text) for text in PATTERNS},
    **{
        f"{start!r}, many {text!r}, {end!r}": repeated(text, start, end)
        for start, end in EDGES
        for text in (" ", "\n", "a")
    },
    "lone surrogates": lambda size: '"' + "\\ud800" * (size // 6) + '"',
    "escaped letters": lambda size: '"' + "\\u0061" * (size // 6) + '"',
    "a list in text": quoted(listed("0")),
    "lists in lists in text": quoted(nested("[", "", "]")),
    "objects in objects in text": quoted(nested('{"a":', "1", "}")),
    "many keys in text": quoted(numbered('"k%d":1', "{}")),
    "one key many times in text": quoted(listed('"k":1', "{}")),
    "a number in text": quoted(lambda size: "9" * size),
    "careless objects in text": quoted(listed("{a:'b',}")),
    "no end in text": lambda size: json.dumps('{"a": "' + "x" * size),
}
NUMBERS: Mapping[str, Payload] = {
    "many digits": lambda size: "9" * size,
    "many digits below zero": lambda size: "-" + "9" * size,
    "many digits after the point": lambda size: "0." + "9" * size,
    "a large exponent": lambda size: "1e" + "9" * size,
    "4300 digits": lambda size: "9" * 4300,
}
LISTS: Mapping[str, Payload] = {
    "many nulls": listed("null"),
    "many numbers": listed("0"),
    "many texts": numbered('"%d"'),
    "many empty lists": listed("[]"),
    "many empty objects": listed("{}"),
    "many objects with types": numbered('{"type":"%d"}'),
    "lists in lists": nested("[", "", "]"),
    f"lists in lists, {DEPTH} deep": nested("[", "", "]", DEPTH),
    "many lists of lists": listed("[[[[[]]]]]"),
}
OBJECTS: Mapping[str, Payload] = {
    "many keys": numbered('"k%d":1', "{}"),
    "many nulls with keys": numbered('"k%d":null', "{}"),
    "one key many times": listed('"k":1', "{}"),
    "a long key": lambda size: '{"' + "k" * size + '":1}',
    "objects in objects": nested('{"a":', "1", "}"),
    f"objects in objects, {DEPTH} deep": nested('{"a":', "1", "}", DEPTH),
    "a long text": lambda size: '{"a":"' + "x" * size + '"}',
    "a long list": lambda size: '{"a":' + listed("0")(size) + "}",
    "many objects": lambda size: '{"a":' + numbered('{"b":%d}')(size) + "}",
}


def _schema(payload: Payload) -> Payload:
    "A schema for an object whose property `a` has this schema."
    return lambda size: f'{{"type":"object","properties":{{"a":{payload(size)}}}}}'


def _keyword(start: str, payload: Payload, end: str = "}") -> Payload:
    return lambda size: start + payload(size) + end


def _references(size: int) -> str:
    count = size // 50
    links = ",".join(f'"d{n}":{{"$ref":"#/$defs/d{n + 1}"}}' for n in range(count))
    return f'{{"$ref":"#/$defs/d0","$defs":{{{links},"d{count}":{{"type":"string"}}}}}}'


def _doubling(keyword: str) -> Payload:
    "Each definition refers to the next one twice, so that a checker that follows both never ends."

    def payload(size: int) -> str:
        count = min(size // 80, 60)
        links = ",".join(
            f'"d{n}":{{"{keyword}":[{{"$ref":"#/$defs/d{n + 1}"}},{{"$ref":"#/$defs/d{n + 1}"}}]}}'
            for n in range(count)
        )
        return f'{{"$ref":"#/$defs/d0","$defs":{{{links},"d{count}":{{"type":"string"}}}}}}'

    return payload


SCHEMAS: Mapping[str, Payload] = {
    **{
        f"{keyword} of many": _schema(_keyword(f'{{"{keyword}":', numbered('{"const":%d}')))
        for keyword in ("anyOf", "oneOf", "allOf", "prefixItems")
    },
    **{
        f"{keyword} in {keyword}": _schema(nested(f'{{"{keyword}":[', '{"type":"string"}', "]}", DEPTH // 3))
        for keyword in ("anyOf", "oneOf", "allOf")
    },
    "not in not": _schema(nested('{"not":', '{"type":"string"}', "}", DEPTH)),
    "many types": _schema(_keyword('{"type":', numbered('{"a":%d}'))),
    "many names of types": _schema(_keyword('{"type":', listed('"string"'))),
    "an enum of objects": _schema(_keyword('{"enum":', numbered('{"a":%d}'))),
    "an enum of equal objects": _schema(_keyword('{"enum":', listed('{"a":0}'))),
    "an enum of lists": _schema(_keyword('{"enum":', numbered("[%d]"))),
    "an enum of texts": _schema(_keyword('{"enum":', numbered('"e%d"'))),
    "many properties": _keyword('{"type":"object","properties":', numbered('"k%d":{"type":"string"}', "{}")),
    "many required": _keyword('{"type":"object","required":', numbered('"k%d"')),
    "one required many times": _keyword('{"type":"object","required":', listed('"k"')),
    "properties in properties": nested(
        '{"type":"object","properties":{"a":', '{"type":"string"}', "}}", DEPTH // 4
    ),
    "items in items": _schema(nested('{"type":"array","items":', '{"type":"string"}', "}", DEPTH)),
    "many definitions": _keyword('{"type":"object","$defs":', numbered('"d%d":{"type":"string"}', "{}")),
    "a chain of references": _references,
    "references that double, allOf": _doubling("allOf"),
    "references that double, anyOf": _doubling("anyOf"),
    "many references to one": lambda size: (
        '{"$defs":{"d":{"type":"string"}},"type":"object","properties":'
        + numbered('"k%d":{"$ref":"#/$defs/d"}', "{}")(size)
        + "}"
    ),
    "a reference to itself": lambda size: '{"$ref":"#"}',
    "references that need others": lambda size: (
        '{"type":"object","properties":{"a":{"$ref":"http://a.invalid/x.json"}}}'
    ),
    "a pattern that tries everything": _schema(lambda size: '{"type":"string","pattern":"^(a+)+$"}'),
    "a long pattern": _schema(_keyword('{"type":"string","pattern":', repeated("(a|b)?"))),
    "a pattern of sets": _schema(_keyword('{"type":"string","pattern":', repeated("[ab]*"))),
    "a pattern of escapes": _schema(_keyword('{"type":"string","pattern":', repeated("\\\\s"))),
    "a pattern of groups in groups": _schema(
        lambda size: '{"type":"string","pattern":"' + "(" * size + ")" * size + '"}'
    ),
    "a pattern with large counts": _schema(
        lambda size: '{"type":"string","pattern":"((a{1,1000}){1,1000}){1,1000}"}'
    ),
    "many patterns of properties": _keyword(
        '{"type":"object","patternProperties":', numbered('"^(a+)+%d$":{}', "{}")
    ),
    "a long description": _schema(_keyword('{"type":"string","description":', repeated("*/ // \n"))),
    "a long default": _schema(_keyword('{"type":"array","default":', listed("0"))),
    "unique items": _schema(lambda size: '{"type":"array","uniqueItems":true}'),
    "many dependencies": _keyword('{"type":"object","dependentRequired":', numbered('"k%d":["a"]', "{}")),
    "draft 4, an enum of objects": lambda size: (
        '{"$schema":"http://json-schema.org/draft-04/schema#","enum":' + numbered('{"a":%d}')(size) + "}"
    ),
    "an object of many objects": numbered('"k%d":{"a":{}}', "{}"),
}
SCHEMA_NAMES = (
    "parameters",
    "schema",
    "input_schema",
    "output_schema",
    "format",
    "json_schema",
    "definition",
)
BY_TYPE: Mapping[LocationType, Mapping[str, Payload]] = {
    "string": STRINGS,
    "number": NUMBERS,
    "list": LISTS,
    "object": OBJECTS,
    "any": {
        **LISTS,
        **OBJECTS,
        **NUMBERS,
        "a long text": repeated("a"),
        "many markers": repeated("<|start|>"),
    },
}


def payloads(location: Location) -> Iterator[tuple[str, Payload]]:
    "The names and the payloads for a location."
    yield from BY_TYPE[location.type].items()
    last_name = location.name.rpartition(".")[2].partition("/")[0]
    if location.type in ("object", "any") and last_name in SCHEMA_NAMES:
        yield from SCHEMAS.items()
    for number, make in enumerate(location.items):
        yield f"equal entries of form {number}", entries(make, False)
        yield f"distinct entries of form {number}", entries(make, True)
