from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.growth import assert_linear

from llm_gpt_oss.turn.tool_arguments import Arguments, canonical_json, parse_arguments

ANY = {"type": "object"}
STRING = {"type": "string"}
CITY = {"type": "object", "properties": {"city": STRING}, "required": ["city"]}
RUN = {"type": "object", "properties": {"cmd": STRING}, "required": ["cmd"]}
# Every kind of parameter, none required.
TRIP = {
    "type": "object",
    "properties": {
        "city": STRING,
        "days": {"type": "integer"},
        "back": {"type": ["boolean", "null"]},
        "to": {"type": "object", "properties": {"x": {}, "y": {}, "via": {"type": "array"}}},
        "stops": {"type": "array", "items": STRING},
        "note": {"type": ["string", "object"]},
    },
}

AROUND, OPEN, CONTROL = "text around the object", "brackets left open", "control characters in a string"
QUOTES, CONSTANTS, COMMA = "single quotes", "Python's constants", "a comma before a closing bracket"
SPACES, TWICE, CALL = "spaces that JSON does not allow", "JSON encoded twice", "a call around the arguments"
LONE = "the whole text was used as city"
NOTHING = "dropped everything, because the tool takes no arguments"

NO_OBJECT = "no JSON object"
MORE = "there is more than one value"
REPEATED = "a key is repeated"
UNCERTAIN = "a bracket is missing, and it is not certain where"
REASONS = {NO_OBJECT, MORE, REPEATED, UNCERTAIN}


def row(name: str, *values: Any) -> Any:
    return pytest.param(*values, id=name)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        row("compact", '{"city":"Oslo"}', CITY),
        row("spaces and escapes", ' {\n  "city" : "Os\\u006co" }\n', CITY),
        row("a fence in a string", '{"days": 1.0, "city": "```"}', TRIP),
        row("JSON in a string that may be one", '{"city":"{\\"a\\":1}","note":"{\\"a\\":1}"}', TRIP),
        row("broken JSON in a string", r"""{"city":"{'a': \\1, }]"}""", TRIP),
        row("a whole call in a string", '{"city":"{\\"name\\":\\"x\\",\\"arguments\\":{}}"}', TRIP),
        row("escaped backslashes", r"""{"cmd":"sed 's/(a)/\\1/' f"}""", RUN),
        row("another program's escapes", r"""{"cmd":"print('\\033[1m\\x41')"}""", RUN),
        row("Python in a string", """{"cmd":"{'a': True, 'b': None,}"}""", RUN),
        row("markup in a string", '{"cmd":"<b>x</b>"}', RUN),
        row("any keys", '{"anything":[{}, null]}', ANY),
        row("a schema without properties", '{"anything":1}', {}),
        row(
            "a property called arguments", '{"arguments":{"city":"Oslo"}}', {"properties": {"arguments": {}}}
        ),
        row("a property in itself", '{"arguments":{"arguments":1}}', {"properties": {"arguments": {}}}),
        row("a call where any keys are allowed", '{"name":"run","arguments":{}}', ANY),
    ],
)
def test_valid_arguments_are_not_changed(text: str, parameters: dict[str, Any]) -> None:
    assert parse_arguments(text, parameters, tool="run") == Arguments(json.loads(text), text)


REPAIRED = [
    # As gpt-oss-tiny misbehaves: bad-json, extra-args.
    row("a stray ]", '{"city":"Oslo"}]', {"city": "Oslo"}, [AROUND]),
    row("stray braces", '{"city":"Oslo"}}}', {"city": "Oslo"}, [AROUND]),
    row(
        "an invented key",
        '{"city":"Oslo","unexpected_argument":"surprise"}',
        {"city": "Oslo"},
        ["dropped unexpected_argument"],
    ),
    row(
        "invented keys and a brace",
        '{"a":1,"city":"Oslo","b":2}}',
        {"city": "Oslo"},
        [AROUND, "dropped a, b"],
    ),
    row(
        "many invented keys",
        '{"city":"Oslo",' + ",".join(f'"k{n}":1' for n in range(9)) + "}",
        {"city": "Oslo"},
        ["dropped k0, k1, k2, k3, k4, 4 more"],
    ),
    row("a fence", '```json\n{"city":"Oslo"}\n```', {"city": "Oslo"}, [AROUND]),
    row("a fence without a language", '```\n{"city":"Oslo"}```', {"city": "Oslo"}, [AROUND]),
    row("the format before the object", 'json{"city":"Oslo"}', {"city": "Oslo"}, [AROUND]),
    row("a byte order mark", '\ufeff{"city":"Oslo"}', {"city": "Oslo"}, [AROUND]),
    row("a non-breaking space before", '\u00a0{"city":"Oslo"}', {"city": "Oslo"}, [AROUND]),
    row("prose", 'Let\'s call it: {"city":"Oslo"}. Done!', {"city": "Oslo"}, [AROUND]),
    row("reasoning after the object", '{"city":"Oslo"}We need to wait.', {"city": "Oslo"}, [AROUND]),
    row("a comma after the object", '{"city":"Oslo"},\n', {"city": "Oslo"}, [AROUND]),
    row("an array of one object", '[{"city":"Oslo"}]', {"city": "Oslo"}, [AROUND]),
    row("a function call", 'trip({"city":"Oslo"});', {"city": "Oslo"}, [AROUND]),
    row("tags", '<tool_call>\n{"city":"Oslo"}\n</tool_call>', {"city": "Oslo"}, [AROUND]),
    row("a line break and a tab", '{"city":"Os\nlo\t"}', {"city": "Os\nlo\t"}, [CONTROL]),
    row("a carriage return", '{"city":"Os\r\nlo"}', {"city": "Os\r\nlo"}, [CONTROL]),
    row("a real escape character", '{"city":"\x1b[1m\x00"}', {"city": "\x1b[1m\x00"}, [CONTROL]),
    row("a line break after escapes", '{"city":"\\\\\nn\\n"}', {"city": "\\\nn\n"}, [CONTROL]),
    row("a line break and a bracket", '{"city":"Os\nlo"}]', {"city": "Os\nlo"}, [AROUND, CONTROL]),
    row("an open object", '{"city":"Oslo"', {"city": "Oslo"}, [OPEN]),
    row("an open object after a constant", '{"back":null\n', {"back": None}, [OPEN]),
    row("brackets in the string", '{"city":"a { [ \\" ] \\\\"', {"city": 'a { [ " ] \\'}, [OPEN]),
    row("an open array", '{"city":"Oslo","stops":["a","b"', {"city": "Oslo", "stops": ["a", "b"]}, [OPEN]),
    row("an open object around an array", '{"stops":["a","b"]', {"stops": ["a", "b"]}, [OPEN]),
    row("open in depth", '{"to":{"via":[{"b":[1]', {"to": {"via": [{"b": [1]}]}}, [OPEN]),
    row(
        "open after complete parts",
        '{"to":{"x":[1,2],"y":[3,4]},"city":"Oslo"',
        {"to": {"x": [1, 2], "y": [3, 4]}, "city": "Oslo"},
        [OPEN],
    ),
    row(
        "open after objects in an array",
        '{"to":{"via":[{"b":1,"c":2},{"b":3}]}',
        {"to": {"via": [{"b": 1, "c": 2}, {"b": 3}]}},
        [OPEN],
    ),
    row("a trailing comma", '{"city":"Oslo",}', {"city": "Oslo"}, [COMMA]),
    row(
        "trailing commas inside",
        '{"stops":["a","b",\n],"to":{"x":1,},}',
        {"stops": ["a", "b"], "to": {"x": 1}},
        [COMMA],
    ),
    row("single quotes", "{'city': 'Oslo'}", {"city": "Oslo"}, [QUOTES]),
    row("both quotes", "{'city': \"it's\"}", {"city": "it's"}, [QUOTES]),
    row("double quotes in single ones", """{'city': 'say "hi"'}""", {"city": 'say "hi"'}, [QUOTES]),
    row("an escaped single quote", r"{'city': 'it\'s'}", {"city": "it's"}, [QUOTES]),
    row("JSON's escapes", r"{'city': '\n\t\\1\"\u00e9\ud83d\ude00'}", {"city": '\n\t\\1"é😀'}, [QUOTES]),
    row("empty single quotes", "{'city': ''}", {"city": ""}, [QUOTES]),
    row("a line break in single quotes", "{'city': 'a\nb'}", {"city": "a\nb"}, [QUOTES, CONTROL]),
    row("brackets in single quotes", "{'city': '}]{'}", {"city": "}]{"}, [QUOTES]),
    row("Python's constants", '{"back": True, "city": "None"}', {"back": True, "city": "None"}, [CONSTANTS]),
    row("None", "{'back': None, 'days': 2}", {"back": None, "days": 2}, [CONSTANTS, QUOTES]),
    row(
        "Python in a fence",
        "```python\n{'back': False,}\n```",
        {"back": False},
        [AROUND, COMMA, CONSTANTS, QUOTES],
    ),
    row("non-breaking spaces", '{\u00a0"city":\u00a0"Os\u00a0lo"\u2003}', {"city": "Os\u00a0lo"}, [SPACES]),
    row("encoded twice", r'"{\"city\":\"Oslo\"}"', {"city": "Oslo"}, [TWICE]),
    row("encoded twice, whole", r'"{\"city\":\"\\\\1 \\n\"}"', {"city": "\\1 \n"}, [TWICE]),
    row("encoded twice, no outer quotes", r"{\"city\":\"a\\nb\"}" + "\n", {"city": "a\nb"}, [TWICE]),
    row("an object in a string", r'{"to":"{\"x\":1}"}', {"to": {"x": 1}}, ["to was JSON in a string"]),
    row("an array in a string", r'{"stops":" [\"a\"]"}', {"stops": ["a"]}, ["stops was JSON in a string"]),
    row(
        "two values in strings",
        r'{"to":"{}","stops":"[]","city":"[]"}',
        {"to": {}, "stops": [], "city": "[]"},
        ["to was JSON in a string", "stops was JSON in a string"],
    ),
    row("under arguments", '{"arguments":{"city":"Oslo"}}', {"city": "Oslo"}, [CALL]),
    row("under parameters", '{"name":"trip","parameters":{"city":"Oslo"}}', {"city": "Oslo"}, [CALL]),
    row("under the tool's name", '{"trip":{"city":"Oslo"}}', {"city": "Oslo"}, [CALL]),
    row("under functions.", '{"functions.trip":{"city":"Oslo"}}', {"city": "Oslo"}, [CALL]),
    row(
        "a whole call",
        '{"type":"function","name":"functions.trip","arguments":{"city":"Oslo"}}',
        {"city": "Oslo"},
        [CALL],
    ),
    row("a call with encoded arguments", r'{"name":"trip","arguments":"{\"days\":2}"}', {"days": 2}, [CALL]),
    row(
        "a call in tags",
        '<tool_call>{"name":"trip","arguments":{"city":"Oslo"}}</tool_call>',
        {"city": "Oslo"},
        [AROUND, CALL],
    ),
]


@pytest.mark.parametrize(("text", "value", "repairs"), REPAIRED)
def test_repairs(text: str, value: dict[str, Any], repairs: list[str]) -> None:
    assert parse_arguments(text, TRIP, tool="trip") == Arguments(value, canonical_json(value), tuple(repairs))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # Escapes that JSON does not have.
        row("a group of sed", r"""{"city":"sed 's/(a)/\1/' f"}""", NO_OBJECT),
        row("an escape for a terminal", r"""{"city":"print('\033[1m')"}""", NO_OBJECT),
        row("a Windows path", r'{"city":"C:\apps\x"}', NO_OBJECT),
        row("a zero", r'{"city":"a\0b"}', NO_OBJECT),
        row("a hexadecimal escape", r'{"city":"\x41"}', NO_OBJECT),
        row("a shell's quote", r"""{"city":"echo 'it'\''s'"}""", NO_OBJECT),
        row("half a Unicode escape", r'{"city":"\u12"}', NO_OBJECT),
        row("a line that continues", '{"city":"a \\\nb"}', NO_OBJECT),
        row("a group in single quotes", r"{'city': '\1'}", NO_OBJECT),
        row("a bell in single quotes", r"{'city': '\a'}", NO_OBJECT),
        row("a hexadecimal escape in single quotes", r"{'city': '\x41'}", NO_OBJECT),
        row("an escaped slash in single quotes", r"{'city': '\/'}", NO_OBJECT),
        row("encoded twice, wrong escapes inside", r'"{\"city\":\"\\1\"}"', NO_OBJECT),
        # Quotes.
        row("empty quotes inside", '{"city":"git commit -m "" && git push"}', NO_OBJECT),
        row("quotes inside", '{"city":"echo "hi""}', NO_OBJECT),
        row("single quotes inside", "{'city': 'it's'}", NO_OBJECT),
        row("a shell's quote in single quotes", r"{'city': 'echo '\''s'}", NO_OBJECT),
        row("strings that touch", '{"stops":["a.txt" "b.txt"]}', NO_OBJECT),
        row("single quotes that touch", "{'stops': ['a' 'b']}", NO_OBJECT),
        row("triple quotes", '{"city":"""Oslo"""}', NO_OBJECT),
        row("bytes", "{'city': b'Oslo'}", NO_OBJECT),
        row("an f-string", "{'city': f'Oslo'}", NO_OBJECT),
        row("typographic quotes", "{“city”: “Oslo”}", NO_OBJECT),
        row("encoded twice without escapes", '"{"city":"Oslo"}"', MORE),
        row("a sum of strings", '{"city":"a" + "b"}', NO_OBJECT),
        # Other languages.
        row("a tuple", "{'stops': ('a', 'b')}", NO_OBJECT),
        row("a set", '{"Oslo"}', NO_OBJECT),
        row("an ellipsis", "{'city': ...}", NO_OBJECT),
        row("a key without quotes", '{city: "Oslo"}', NO_OBJECT),
        row("a value without quotes", '{"city": Oslo}', NO_OBJECT),
        row("undefined", '{"city": undefined}', NO_OBJECT),
        row("a comment", '{"city": "Oslo" /* Norway */}', NO_OBJECT),
        row("a hexadecimal number", '{"days": 0x10}', NO_OBJECT),
        row("numbers that touch", '{"days": 1 2}', NO_OBJECT),
        row("a number with a separator", '{"days": 1_000}', NO_OBJECT),
        row("a constant as key", "{None: 1}", NO_OBJECT),
        row("an equals sign", '{"city" = "Oslo"}', NO_OBJECT),
        # Commas.
        row("only a comma", "{,}", NO_OBJECT),
        row("only a comma in an array", '{"stops":[,]}', NO_OBJECT),
        row("two commas", '{"stops":["a",,"b"]}', NO_OBJECT),
        row("two commas at the end", '{"stops":["a",,]}', NO_OBJECT),
        row("a comma without a value", '{"city":,}', NO_OBJECT),
        # Cut.
        row("cut before a value", '{"city":', NO_OBJECT),  # cut-json, of gpt-oss-tiny
        row("cut in a string", '{"city":"Os', NO_OBJECT),
        row("cut in an escape", '{"city":"Oslo\\', NO_OBJECT),
        row("cut after an escaped quote", '{"city":"Oslo\\"', NO_OBJECT),
        row("cut after a comma", '{"city":"Oslo",', NO_OBJECT),
        row("cut after a key", '{"city"', NO_OBJECT),
        row("cut in a number", '{"days":1', NO_OBJECT),
        row("cut in a constant", '{"back":tru', NO_OBJECT),
        row("cut after an opening bracket", '{"stops":[', NO_OBJECT),
        row("cut in a fence", '```json\n{"city":"Oslo"', NO_OBJECT),
        row("cut in single quotes", "{'city':'Oslo'", NO_OBJECT),
        row("open, with a line break", '{"city":"Os\nlo"', NO_OBJECT),
        row("open, with a trailing comma", '{"stops":["a",]', NO_OBJECT),
        row("an object that could end earlier", '{"to":{"x":1,"y":2}', UNCERTAIN),
        row("an object with an array that could end earlier", '{"to":{"x":1,"via":["a","b"]}', UNCERTAIN),
        row("an array that could end earlier", '{"to":{"via":[[1,2]', UNCERTAIN),
        row("an object in an array that could end earlier", '{"stops":[{"x":1,"y":2', NO_OBJECT),
        row("both that could end earlier", '{"stops":[{"x":1,"y":"2"', UNCERTAIN),
        row("brackets that do not match", '{"city":"Oslo"]', NO_OBJECT),
        row("brackets in the wrong order", "]{", NO_OBJECT),
        # More than one value.
        row("two objects", '{"city":"Oslo"}{"city":"Rome"}', MORE),
        row("two objects in an array", '[{"city":"Oslo"},{"city":"Rome"}]', MORE),
        row("an object and a pair", '{"city":"Oslo"}, "days": 2}', MORE),
        row("an object and a number", '{"city":"Oslo"}, 2', MORE),
        row("an object and a constant", '[null, {"city":"Oslo"}]', MORE),
        row("a string before the object", '"trip": {"city":"Oslo"}', MORE),
        row("a single-quoted string before the object", '\'trip\': {"city":"Oslo"}', MORE),
        row("a number before the object", 'Step 1: {"city":"Oslo"}', MORE),
        row("an array before the object", '[1] {"city":"Oslo"}', MORE),
        row("an assignment before the object", 'trip = {"city":"Oslo"}', MORE),
        row("the name of a parameter before the object", 'to: {"x":1}', MORE),
        row("a string that ends early", '{"city":"if (a) {"} else {"b"}', MORE),
        row("an empty object in a command", "find -exec rm {} +", MORE),
        row("a repeated key", '{"city":"Oslo","city":"Rome"}', REPEATED),
        row("a repeated key inside", '{"to":{"x":1,"x":1}}]', REPEATED),
        # No object.
        row("a word", "Oslo", NO_OBJECT),
        row("a word in braces", "{Oslo}", NO_OBJECT),
        row("an empty array", "[]", NO_OBJECT),
        row("an array", '["Oslo"]', NO_OBJECT),
        row("a string", '"Oslo"', NO_OBJECT),
        row("a number", "3", NO_OBJECT),
        row("null", "null", NO_OBJECT),
        # Numbers and depth.
        row("not a number", '{"days":NaN}', NO_OBJECT),
        row("half a surrogate pair", '{"city":"half a \\ud83d"}', NO_OBJECT),
        row("infinity", '{"days":-Infinity}', NO_OBJECT),
        row("a number out of range", '{"days":1e999}', NO_OBJECT),
        row("a number out of range in Python", "{'days': 1e999}", NO_OBJECT),
        row("a number of 5000 digits", '{"days":' + "9" * 5000 + "}", NO_OBJECT),
        row("deep arrays", "[" * 100_000, NO_OBJECT),
        row("deep open objects", '{"a":' * 100_000, NO_OBJECT),
        row("deep objects", '{"a":' * 100_000 + "1" + "}" * 100_000, NO_OBJECT),
        row("deep objects in single quotes", "{'a':" * 100_000 + "1" + "}" * 100_000, NO_OBJECT),
        row("deep objects, encoded twice", json.dumps('{"a":' * 99_999 + "1" + "}" * 99_999), NO_OBJECT),
    ],
)
def test_other_mistakes_are_not_repaired(text: str, reason: str) -> None:
    found = parse_arguments(text, TRIP)
    assert found == f"{reason}: {text!r}" or (
        len(text) > 80 and len(found) < 300 and found.startswith(reason)
    )


def test_the_reason_has_the_beginning_of_a_long_text() -> None:
    assert parse_arguments("x" * 81, ANY) == f"no JSON object: '{'x' * 79}…'"
    assert parse_arguments("x" * 80, ANY) == f"no JSON object: '{'x' * 80}'"


# A text that is no object.


@pytest.mark.parametrize(
    "text",
    [
        row("a word", "Oslo"),  # plain-args, of gpt-oss-tiny
        row("a word between spaces", " Oslo\n"),
        row("a command", "ls -R\n"),
        row("quotes after a word", 'say "hi"'),
        row("a number with units", "12 km"),
        row("code", "if x: {y}"),
        row("a comparison", "x == 1"),
        row("a redirection", "sort < a > b"),
        row("a web address", "https://example.com/?q=1"),
        row("a qualified name", "std::sort"),
        row("an option", "kubectl get -o=json"),
        row("a pair of braces", "find -exec rm {} +"),
        row("lines", "one\ntwo"),
        row("a patch", "*** Begin Patch\n+a = 1\n*** End Patch"),
        row("dashes", "-" * 2000),
        row("the tool's name alone", "weather"),
    ],
)
@pytest.mark.parametrize(
    "parameters", [row("required", CITY), row("optional", {"properties": {"city": STRING}})]
)
def test_a_lone_text_is_the_only_parameter(text: str, parameters: dict[str, Any]) -> None:
    value = {"city": text.strip()}
    expected = Arguments(value, canonical_json(value), (LONE,))
    assert parse_arguments(text, parameters, tool="weather") == expected
    # What is left of a malformed header is no value.
    assert isinstance(parse_arguments(text, parameters, tool="weather", whole_header=False), str)


@pytest.mark.parametrize(
    "text",
    [
        row("a cut object", '{"city":'),
        row("a cut array", ' ["Oslo"'),
        row("a cut fence", '```json\n{"city":"Os'),
        row("a fence", "```\nOslo\n```"),
        row("a fence in prose", "This:\n~~~\nOslo\n~~~"),
        row("code in backticks", "`Oslo`"),
        row("a pair", '"city": "Oslo"'),
        row("a pair without quotes", "city: Oslo"),
        row("an assignment", "city=Oslo"),
        row("an assignment of something else", 'location = "Oslo"'),
        row("an assignment in Go", "place := Oslo"),
        row("an assignment in a list", "- **city**: Oslo"),
        row("an option with the parameter's name", "weather --city=Oslo"),
        row("a call", 'weather("Oslo")'),
        row("a call with functions.", 'functions.weather("Oslo")'),
        row("a call with a keyword", 'get(city = "Oslo")'),
        row("a string", '"Oslo"'),
        row("a string in single quotes", "'Oslo'"),
        row("two strings", '"a" and "b"'),
        row("a number", "12"),
        row("a negative number", "-1.5e3"),
        row("a constant", "null"),
        row("an array in a command", "echo [1, 2] > ['a']"),
        row("an object in a command", """curl -d '{"a":1}' x"""),
        row("a tag", "<city>Oslo</city>"),
        row("a closing tag", "Oslo</city> x"),
        row("a tag at the end", "Oslo <end>"),
        row("a marker", "Oslo<|end|> x"),
    ],
)
def test_a_lone_text_with_a_structure_is_not_repaired(text: str) -> None:
    reason = parse_arguments(text, CITY, tool="weather")
    assert isinstance(reason, str)
    assert reason.endswith(repr(text))


@pytest.mark.parametrize(
    "text",
    [
        row("underscores", lambda n: "_" * n),
        row("dots", lambda n: "." * n),
        row("digits", lambda n: "9" * n + "x"),
        row("brackets and spaces", lambda n: "a [ " * n),
        row("the parameter's name and spaces", lambda n: "city" + " " * n),
        row("backticks", lambda n: "a" + "*`" * n + "x"),
        row("spaces", lambda n: "a" + " " * n + "x"),
    ],
)
def test_the_time_for_a_lone_text_is_in_proportion_to_its_length(text: Callable[[int], str]) -> None:
    assert_linear(lambda each: parse_arguments(each, CITY, tool="weather"), text)


@pytest.mark.parametrize(
    "parameters",
    [
        row("any", ANY),
        row("no schema", {}),
        row("several", TRIP),
        row("one of several required", {"properties": {"n": {}, "city": STRING}, "required": ["city"]}),
        row("an integer", {"properties": {"city": {"type": "integer"}}, "required": ["city"]}),
        row("a string or null", {"properties": {"city": {"type": ["string", "null"]}}}),
        row("without a type", {"properties": {"city": True}, "required": ["city"]}),
        row("not listed", {"properties": {}, "required": ["city"]}),
        row("an invalid schema", {"properties": ["city"], "required": "city"}),
    ],
)
def test_a_lone_text_for_other_parameters_is_an_error(parameters: dict[str, Any]) -> None:
    assert parse_arguments("Oslo", parameters) == "no JSON object: 'Oslo'"


def test_a_lone_text_has_to_fit_the_schema() -> None:
    arguments = parse_arguments("Oslo", {"properties": {"city": {"type": "string", "enum": ["Rome"]}}})
    assert isinstance(arguments, Arguments)
    assert arguments.schema_error == '$.city: "Oslo" is not one of "Rome"'


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_means_no_arguments(text: str) -> None:
    assert parse_arguments(text, TRIP) == Arguments({}, text)
    assert parse_arguments(text, CITY) == Arguments({}, text, (), '$: "city" is a required property')


@pytest.mark.parametrize("parameters", [None, {"type": "object", "properties": {}}])
@pytest.mark.parametrize(
    ("text", "repaired", "repairs"),
    [
        row("nothing", "", "", ()),
        row("an empty object", "{ }\n", "{ }\n", ()),
        row("a key", '{"timezone":"UTC"}', "{}", (NOTHING,)),
        row("prose", "now please", "{}", (NOTHING,)),
        row("a fence", "```json\n{}\n```", "{}", (NOTHING,)),
        row("a cut object", "{", "{}", (NOTHING,)),
        row("null", "null", "{}", (NOTHING,)),
    ],
)
def test_a_tool_without_parameters_gets_no_arguments(
    text: str, repaired: str, repairs: tuple[str, ...], parameters: dict[str, Any] | None
) -> None:
    assert parse_arguments(text, parameters) == Arguments({}, repaired, repairs)


# What does not fit the schema.


@pytest.mark.parametrize(
    ("text", "error"),
    [
        row("another type", '{"city":3}', '$.city: 3 is not of type "string"'),
        row("nothing", "{}", '$: "city" is a required property'),
        row("another key", '{"cty":"Oslo"}', '$: "city" is a required property'),
        row("a call of another tool", '{"name":"x","arguments":{"city":"Oslo"}}', None),
        row("a call with something else", '{"name":"weather","at":1,"arguments":{"city":"Oslo"}}', None),
        row("a call of something else", '{"weather":{"place":"Oslo"}}', None),
        row("a call with another type", '{"weather":{"city":3}}', None),
        row("a call with an invented key", '{"weather":{"city":"Oslo","unit":"C"}}', None),
        row("two calls", '{"weather":{"city":"Oslo"},"arguments":{"city":"Rome"}}', None),
        row("a call in prose", '{"weather":"city Oslo"}', None),
    ],
)
def test_schema_errors(text: str, error: str | None) -> None:
    expected = error or '$: "city" is a required property'
    assert parse_arguments(text, CITY, tool="weather") == Arguments(json.loads(text), text, (), expected)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        row("no known key", '{"place":"Oslo","when":1}', "unknown place, when"),
        row("a call of something unknown", '{"options":{"city":"Oslo"}}', "unknown options"),
        row("a plural", '{"city":"Oslo","day":2}', "unknown day"),
        row("another case", '{"days":2,"City":"Oslo"}', "unknown City"),
        row("underscores", '{"days":2,"c_i_t_y":"Oslo","other":1}', "unknown c_i_t_y, other"),
    ],
)
def test_keys_that_may_have_a_meaning_are_not_dropped(text: str, error: str) -> None:
    assert parse_arguments(text, TRIP) == Arguments(json.loads(text), text, (), error)


def test_a_similar_key_is_dropped_where_the_parameter_is_given() -> None:
    arguments = parse_arguments('{"city":"Oslo","City":"Rome"}', TRIP)
    assert arguments == Arguments({"city": "Oslo"}, '{"city":"Oslo"}', ("dropped City",))


@pytest.mark.parametrize(
    "text",
    [
        row("not JSON", r'{"to":"{x}"}'),
        row("another type", r'{"to":"[1]"}'),
        row("a repeated key", r'{"to":"{\"x\":1,\"x\":2}"}'),
        row("a number", r'{"days":"2"}'),
    ],
)
def test_a_string_that_is_not_such_a_value_is_kept(text: str) -> None:
    arguments = parse_arguments(text, TRIP)
    assert isinstance(arguments, Arguments)
    assert (arguments.value, arguments.repairs) == (json.loads(text), ())
    assert arguments.schema_error


def test_a_value_is_decoded_beside_others_that_are_required() -> None:
    schema = {"properties": {"to": {"type": "object"}, "city": STRING}, "required": ["to", "city"]}
    arguments = parse_arguments('{"to":"{}","city":"Oslo"}', schema)
    value = {"to": {}, "city": "Oslo"}
    assert arguments == Arguments(value, canonical_json(value), ("to was JSON in a string",))


def test_a_call_is_unwrapped_where_any_keys_are_allowed_and_one_is_missing() -> None:
    schema = {**CITY, "additionalProperties": True}
    arguments = parse_arguments('{"arguments":{"city":"Oslo","unit":"C"}}', schema)
    assert arguments == Arguments({"city": "Oslo", "unit": "C"}, '{"city":"Oslo","unit":"C"}', (CALL,))


def test_what_a_note_shows_is_short() -> None:
    arguments = parse_arguments(json.dumps({"city": "Oslo", "k" * 9999: 1}), CITY)
    assert isinstance(arguments, Arguments)
    assert max(map(len, arguments.repairs)) < 100
    arguments = parse_arguments(json.dumps({"city": ["x" * 9999]}), CITY)
    assert isinstance(arguments, Arguments)
    assert len(str(arguments.schema_error)) < 310


A: dict[str, Any] = {"properties": {"a": {}}}


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        (A, ["a"]),
        ({**A, "required": ["b"]}, ["a", "b"]),
        ({**A, "required": ["c"]}, ["a", "c"]),
        ({**A, "additionalProperties": False}, ["a"]),
        ({**A, "additionalProperties": False, "allOf": [{}]}, ["a"]),
        ({**A, "additionalProperties": True}, ["a", "b", "c"]),
        ({**A, "additionalProperties": {"type": "integer"}}, ["a", "b", "c"]),
        ({**A, "patternProperties": {"^b": {}}}, ["a", "b", "c"]),
        ({**A, "patternProperties": {"^[bc]": {}}, "additionalProperties": False}, ["a", "b", "c"]),
        ({**A, "anyOf": [{}]}, ["a", "b", "c"]),
        ({**A, "oneOf": [{}]}, ["a", "b", "c"]),
        ({**A, "allOf": [{}]}, ["a", "b", "c"]),
        ({**A, "if": {}}, ["a", "b", "c"]),
        ({**A, "$ref": "#/$defs/more", "$defs": {"more": {}}}, ["a", "b", "c"]),
        ({"$ref": "#/$defs/all", "$defs": {"all": A}}, ["a", "b", "c"]),
        ({"type": "object"}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
    ],
)
def test_only_unknown_keys_are_dropped(parameters: dict[str, Any] | None, left: list[str]) -> None:
    arguments = parse_arguments('{"a":1,"b":2,"c":3}', parameters)
    assert isinstance(arguments, Arguments)
    assert [*arguments.value] == left
    assert arguments.text == canonical_json({key: {"a": 1, "b": 2, "c": 3}[key] for key in left})


def test_canonical_json_is_compact_and_readable() -> None:
    assert (
        canonical_json({"a": ["é", 1.0, None], "b": "\ud83d 🦤"}) == '{"a":["é",1.0,null],"b":"\\ud83d 🦤"}'
    )


# Whatever comes in.

STRINGS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=8,
)
SCRAPS = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ":", ",", "\\", "```json\n", "1", "b'", "NaN", "city", "-"]
)
TEXTS = st.lists(SCRAPS | st.text(max_size=2), max_size=12).map("".join)
SCHEMAS = (
    st.none()
    | st.sampled_from([CITY, TRIP, A])
    | st.dictionaries(
        st.sampled_from(["properties", "required", "additionalProperties", "type"]), JSON, max_size=3
    )
)


@given(st.dictionaries(STRINGS, JSON, max_size=3), st.booleans())
def test_valid_objects_are_not_changed(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_arguments(text, ANY) == Arguments(value, text)


@given(st.text() | TEXTS)
def test_a_lone_text_is_taken_as_it_is_or_not_at_all(text: str) -> None:
    arguments = parse_arguments(text, CITY)
    if isinstance(arguments, Arguments) and LONE in arguments.repairs:
        assert (arguments.value, arguments.repairs) == ({"city": text.strip()}, (LONE,))


@given(TEXTS, SCHEMAS, st.booleans())
def test_any_text_gives_arguments_or_a_reason(
    text: str, parameters: dict[str, Any] | None, whole_header: bool
) -> None:
    match parse_arguments(text, parameters, tool="city", whole_header=whole_header):
        case Arguments() as arguments:
            assert json.loads(arguments.text.strip() or "{}") == arguments.value
            json.dumps(arguments.value, allow_nan=False)
            assert (arguments.text == text) == (not arguments.repairs)
        case reason:
            assert reason.split(":")[0] in REASONS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("*", "x " + "*" * 100_000, id="a name that is punctuation"),
        pytest.param("", "x" * 100_000, id="no name"),
        pytest.param("a" * 50_000, "b" + "a" * 100_000, id="a long name"),
    ],
)
def test_an_assignment_is_searched_for_in_linear_time(name: str, text: str) -> None:
    # A regular expression with the name took minutes.
    arguments = parse_arguments(text, {"properties": {name: STRING}})
    assert isinstance(arguments, Arguments)
    assert arguments.value == {name: text}
