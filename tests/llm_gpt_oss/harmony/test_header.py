from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.harmony.conversation import CHANNELS, Header
from llm_gpt_oss.harmony.header import (
    ParsedHeader,
    closest_channel,
    parse_header,
    split_at_channels,
    split_header,
)

ANALYSIS, COMMENTARY, FINAL = (
    Header("assistant", channel) for channel in ("analysis", "commentary", "final")
)
JSON = "<|constrain|>json"
TOOLS = ("get_weather", "add", "f", "a-b.c", "天気")


def call(name: str, content_type: str | None = JSON, channel: str | None = "commentary") -> Header:
    return Header("assistant", channel, name, content_type)


GET_WEATHER = call("functions.get_weather")

WELL_FORMED = [
    # As in the documentation and the tests of openai/harmony.
    ("<|channel|>analysis", ANALYSIS),
    ("<|channel|>final", FINAL),
    ("<|channel|>commentary", COMMENTARY),
    ("assistant<|channel|>final", FINAL),
    ("<|channel|>commentary to=functions.get_weather <|constrain|>json", GET_WEATHER),
    ("<|channel|>commentary to=functions.get_weather<|constrain|>json", GET_WEATHER),
    ("assistant to=functions.get_weather<|channel|>commentary<|constrain|>json", GET_WEATHER),
    ("<|channel|>commentary to=functions.get_weather json", call("functions.get_weather", "json")),
    ("<|channel|>commentary to=functions.get_weather", call("functions.get_weather", None)),
    ("user", Header("user")),
    ("system", Header("system")),
    ("developer", Header("developer")),
    (
        "functions.get_weather to=assistant<|channel|>commentary",
        Header("tool", "commentary", "assistant", name="functions.get_weather"),
    ),
    ("functions.get_weather", Header("tool", name="functions.get_weather")),
    (
        "browser.search to=assistant<|channel|>commentary",
        Header("tool", "commentary", "assistant", name="browser.search"),
    ),
    # With other spaces, in another order, and with more parts.
    (" to=functions.f<|channel|>commentary json", call("functions.f", "json")),
    ("to=functions.f<|channel|>commentary<|constrain|>json", call("functions.f")),
    ("<|channel|> commentary  to=functions.f  <|constrain|> json ", call("functions.f")),
    ("<|channel|>commentaryto=functions.f<|constrain|>json", call("functions.f")),
    ("<|constrain|>json<|channel|>commentary to=functions.f", call("functions.f")),
    ("<|channel|>commentary to=functions.a-b.c <|constrain|>json", call("functions.a-b.c")),
    ("<|channel|>commentary to=functions.天気 <|constrain|>json", call("functions.天気")),
    ("<|channel|>analysis to=functions.f code", call("functions.f", "code", "analysis")),
    ("<|channel|>final <|constrain|>json", Header("assistant", "final", None, JSON)),
    ("<|channel|>final text", Header("assistant", "final", None, "text")),
    ("<|channel|>final <|constrain|>", FINAL),
    ("<|channel|>final <|constrain|> <|constrain|>json", Header("assistant", "final", None, JSON)),
    ("<|channel|>commentary to=functions.f <|constrain|>JSON", call("functions.f", "<|constrain|>JSON")),
    # Tools that are not on offer.
    ("<|channel|>commentary to=functions.nobody <|constrain|>json", call("functions.nobody")),
    ("<|channel|>commentary to=nobody <|constrain|>json", call("nobody")),
    ("<|channel|>analysis to=python code", call("python", "code", "analysis")),
    ("<|channel|>analysis to=browser.search code", call("browser.search", "code", "analysis")),
    ("<|channel|>commentary to=functions. <|constrain|>json", call("functions.")),
    # Other authors.
    ("tool", Header("tool")),
    ("tool:functions.f", Header("tool", name="functions.f")),
    ("user:ada<|channel|>final", Header("user", "final", name="ada")),
    ("functions.nobody", Header("tool", name="functions.nobody")),
    ("f", Header("tool", name="f")),
    ("天気 to=assistant", Header("tool", None, "assistant", name="天気")),
    (
        "functions.f to=assistant<|channel|>commentary <|constrain|>json",
        Header("tool", "commentary", "assistant", JSON, "functions.f"),
    ),
]


@pytest.mark.parametrize(("text", "header"), WELL_FORMED, ids=[text for text, _ in WELL_FORMED])
def test_well_formed_headers(text: str, header: Header) -> None:
    assert parse_header(text, TOOLS) == ParsedHeader(header)


MISSING = "channel missing"


@pytest.mark.parametrize(
    ("text", "header", "repairs"),
    [
        pytest.param(text, header, repairs, id=text)
        for text, header, repairs in [
            ("", Header("assistant"), [MISSING]),
            ("assistant", Header("assistant"), [MISSING]),
            (" \n", Header("assistant"), [MISSING]),
            ("<|channel|>", COMMENTARY, ["channel without a name"]),
            (
                "<|channel|> <|constrain|>json",
                Header("assistant", "commentary", None, JSON),
                ["channel without a name"],
            ),
            ("<|channel|>??", COMMENTARY, ["channel without a name", "unexpected text: '??'"]),
            ("<|channel|>to=functions.f", call("functions.f", None), ["channel without a name"]),
            ("final", FINAL, [MISSING]),
            ("assistantfinal", FINAL, [MISSING]),
            ("assistant final", FINAL, [MISSING]),
            ("assistantcommentary to=functions.f json", call("functions.f", "json"), [MISSING]),
            ("to=functions.f <|constrain|>json", call("functions.f", channel=None), [MISSING]),
            ("to=functions.f code", call("functions.f", "code", None), [MISSING]),
            ("something else", Header("assistant"), [MISSING, "unexpected text: 'something else'"]),
            ("something final", Header("assistant"), [MISSING, "unexpected text: 'something final'"]),
            ("assistantassistant<|channel|>final", FINAL, ["role named twice"]),
            ("assistant<|channel|>final assistant", FINAL, ["role named twice"]),
            ("<|channel|>analysis<|channel|>final", ANALYSIS, ["channel named twice"]),
            ("<|channel|><|channel|>final", FINAL, ["channel named twice"]),
            ("<|channel|>??<|channel|>final", FINAL, ["channel named twice", "unexpected text: '??'"]),
            (
                "<|channel|>commentary to=functions.get_weather<|channel|>commentary <|constrain|>json",
                GET_WEATHER,
                ["channel named twice"],
            ),
            ("<|channel|>comment", COMMENTARY, ["channel 'comment' read as commentary"]),
            ("<|channel|>Final", FINAL, ["channel 'Final' read as final"]),
            ("<|channel|>musing", COMMENTARY, ["channel 'musing' read as commentary"]),
            ("user<|channel|>final<|channel|>final", Header("user", "final"), []),
            ("<|channel|>commentary final", COMMENTARY, ["unexpected text: 'final'"]),
            ("<|channel|>final Hello there", FINAL, ["unexpected text: 'Hello there'"]),
            ('<|channel|>final {"a":1}', FINAL, ["unexpected text: '{\"a\":1}'"]),
            ("<|channel|>final add", FINAL, ["unexpected text: 'add'"]),
            ("<|channel|>analysis get_weather", ANALYSIS, ["unexpected text: 'get_weather'"]),
            (
                '<|channel|>commentary to=functions.f{"a":1}',
                call("functions.f", None),
                ["unexpected text: '{\"a\":1}'"],
            ),
            (
                "<|channel|>commentary I will add the numbers",
                COMMENTARY,
                ["unexpected text: 'I will add the numbers'"],
            ),
            ("<|channel|>commentary add get_weather", COMMENTARY, ["unexpected text: 'add get_weather'"]),
            (
                "<|channel|>commentary to=functions.delete_all add",
                call("functions.delete_all", None),
                ["unexpected text: 'add'"],
            ),
            (
                "<|channel|>commentary to=nobody then add it",
                call("nobody", None),
                ["unexpected text: 'then add it'"],
            ),
            (
                "<|channel|>commentary " + "a" * 100,
                COMMENTARY,
                [f"unexpected text: '{'a' * 79}…'"],
            ),
        ]
    ],
)
def test_repaired_headers(text: str, header: Header, repairs: list[str]) -> None:
    assert parse_header(text, TOOLS) == ParsedHeader(header, tuple(repairs))


@pytest.mark.parametrize(
    ("recipient", "channel"),
    [
        pytest.param(recipient, channel, id=f"{recipient} on {channel}")
        for recipient in (
            "user",
            "all",
            "assistant",
            "system",
            "developer",
            "json",
            "final",
            '"user"',
            "user.",
        )
        for channel in ("final", "commentary", "analysis")
    ],
)
def test_recipients_that_are_not_tools(recipient: str, channel: str) -> None:
    parsed = parse_header(f"<|channel|>{channel} to={recipient}", TOOLS, has_author=True)
    assert parsed == ParsedHeader(Header("assistant", channel), (f"recipient {recipient} is not a tool",))


@pytest.mark.parametrize(
    ("text", "header"),
    [
        pytest.param("<|channel|>final to=", FINAL, id="nothing"),
        pytest.param(
            "<|channel|>final to= <|constrain|>json", Header("assistant", "final", None, JSON), id="marker"
        ),
        pytest.param(
            "<|channel|>final to=<|constrain|>json",
            Header("assistant", "final", None, JSON),
            id="glued marker",
        ),
        pytest.param(
            "<|channel|>commentary to=<|constrain|>json to=functions.f",
            call("functions.f"),
            id="a second recipient",
        ),
    ],
)
def test_empty_recipients(text: str, header: Header) -> None:
    assert parse_header(text, TOOLS) == ParsedHeader(header)


RENAMED = [
    # The recipient in other words, as in `test_recipient.py`.
    ('<|channel|>commentary to="functions.get_weather" <|constrain|>json', '"functions.get_weather"'),
    ("<|channel|>commentary to=get_weather <|constrain|>json", "get_weather"),
    ("<|channel|>commentary to=function.get_weather <|constrain|>json", "function.get_weather"),
    (
        "<|channel|>commentary to=functions.functions.get_weather <|constrain|>json",
        "functions.functions.get_weather",
    ),
    ("<|channel|>commentary to=functions.get_weather() <|constrain|>json", "functions.get_weather()"),
    ("<|channel|>commentary to=functions.get_weather? <|constrain|>json", "functions.get_weather?"),
    ("<|channel|>commentary to=functions.get_weather:json <|constrain|>json", "functions.get_weather:json"),
    ("<|channel|>commentary to=functions.get_weatherjson <|constrain|>json", "functions.get_weatherjson"),
    ("<|channel|>commentary to=[functions.get_weather] <|constrain|>json", "[functions.get_weather]"),
    ("<|channel|>commentary to=functions.getWeather <|constrain|>json", "functions.getWeather"),
    # Cut by the parser at a character that ends a recipient.
    ("<|channel|>commentary to=<functions.get_weather> <|constrain|>json", "functions.get_weather>"),
    ("<|channel|>commentary to={functions.get_weather} <|constrain|>json", "{functions.get_weather}"),
    # In several words.
    ("<|channel|>commentary to=functions. get_weather <|constrain|>json", "functions.get_weather"),
    ("<|channel|>commentary to=functions .get_weather <|constrain|>json", "functions.get_weather"),
    ("<|channel|>commentary to=functions get_weather <|constrain|>json", "get_weather"),
    ("<|channel|>commentary to=functions.get _weather <|constrain|>json", "functions.get_weather"),
    ("<|channel|>commentary to=functions.get weather <|constrain|>json", "functions.getweather"),
    ("<|channel|>commentary functions. get_weather <|constrain|>json", "functions.get_weather"),
    ("<|channel|>commentary get weather <|constrain|>json", "getweather"),
    # Without to=.
    ("<|channel|>commentary functions.get_weather <|constrain|>json", "functions.get_weather"),
    ("<|channel|>commentary get_weather <|constrain|>json", "get_weather"),
    ("<|channel|>commentary to:functions.get_weather <|constrain|>json", "to:functions.get_weather"),
    ("<|channel|>commentary.to=functions.get_weather <|constrain|>json", ".to=functions.get_weather"),
    ("<|channel|>commentary:functions.get_weather <|constrain|>json", ":functions.get_weather"),
    ("<|channel|>commentary.get_weather <|constrain|>json", ".get_weather"),
    ('<|channel|>commentary "functions.get_weather" <|constrain|>json', '"functions.get_weather"'),
    # In the place of the role.
    ("assistant functions.get_weather<|channel|>commentary<|constrain|>json", "functions.get_weather"),
    ("functions.get_weather<|channel|>commentary<|constrain|>json", "functions.get_weather"),
    ("get_weather<|channel|>commentary<|constrain|>json", "get_weather"),
    (" get_weather <|channel|>commentary <|constrain|>json", "get_weather"),
    ("functions.get_weather()<|channel|>commentary<|constrain|>json", "functions.get_weather()"),
]


@pytest.mark.parametrize("has_author", [True, False], ids=["after a role", "from the start"])
@pytest.mark.parametrize(("text", "written"), RENAMED, ids=[text for text, _ in RENAMED])
def test_calls_in_other_words(text: str, written: str, has_author: bool) -> None:
    assert parse_header(text, TOOLS, has_author=has_author) == ParsedHeader(GET_WEATHER, (), written)
    # The text names no tool if the tool is not on offer.
    recipient = parse_header(text, ("add",), has_author=has_author).header.recipient
    assert recipient is None or recipient in text


@pytest.mark.parametrize(
    ("text", "header", "repairs", "written"),
    [
        pytest.param(text, header, repairs, written, id=text)
        for text, header, repairs, written in [
            ("get_weather json", call("functions.get_weather", "json", None), [MISSING], "get_weather"),
            ("to=f", call("functions.f", None, None), [MISSING], "f"),
            ("<|channel|>commentary to =functions.f json", call("functions.f", "json"), [], "functions.f"),
            ("<|channel|>commentary to= functions.f json", call("functions.f", "json"), [], "functions.f"),
            ("<|channel|>commentary To=functions.f json", call("functions.f", "json"), [], "functions.f"),
            ("<|channel|>commentary functions.nobody json", call("functions.nobody", "json"), [], None),
            ("<|channel|>commentary functions.nobody", call("functions.nobody", None), [], None),
            ("<|channel|>commentary nobody json", call("nobody", "json"), [], None),
            ("<|channel|>commentary nobody", COMMENTARY, ["unexpected text: 'nobody'"], None),
            (
                "<|channel|>commentary no body json",
                Header("assistant", "commentary", None, "json"),
                ["unexpected text: 'no body'"],
                None,
            ),
            ('<|channel|>"analysis"', ANALYSIS, ["unexpected text: '\"'"], None),
            ("<|channel|>`final", FINAL, [], None),
            (
                "functions.get_weather",
                call("functions.get_weather", None, None),
                [MISSING],
                "functions.get_weather",
            ),
            (
                "<|channel|>functions.get_weather",
                call("functions.get_weather", None),
                ["channel 'functions' read as commentary"],
                ".get_weather",
            ),
            (
                "<|channel|>commentaryfunctions.get_weather",
                call("functions.get_weather", None),
                ["channel 'commentaryfunctions' read as commentary"],
                ".get_weather",
            ),
            (
                "<|channel|>commentary to functions.get_weather",
                call("functions.get_weather", None),
                ["unexpected text: 'to'"],
                "functions.get_weather",
            ),
            (
                "<|channel|>commentary call get_weather now",
                call("functions.get_weather", None),
                ["unexpected text: 'call now'"],
                "get_weather",
            ),
            (
                "<|channel|>analysis functions.get_weather",
                call("functions.get_weather", None, "analysis"),
                [],
                "functions.get_weather",
            ),
            (
                "<|channel|>analysis get_weather code",
                call("functions.get_weather", "code", "analysis"),
                [],
                "get_weather",
            ),
            ("<|channel|>final 天気 json", call("functions.天気", "json", "final"), [], "天気"),
        ]
    ],
)
def test_calls_with_repairs(text: str, header: Header, repairs: list[str], written: str) -> None:
    assert parse_header(text, TOOLS, has_author=True) == ParsedHeader(header, tuple(repairs), written)


@pytest.mark.parametrize(
    ("text", "tools", "recipient"),
    [
        pytest.param(text, tools, recipient, id=f"{text} of {' '.join(tools)}")
        for text, tools, recipient in [
            ("commentary to=functions.get", ("get", "get_weather"), "functions.get"),
            ("commentary to=functions.get_weather", ("get", "get_weather"), "functions.get_weather"),
            ("commentary to=functions.get weather", ("get", "get_weather"), "functions.get"),
            ("commentary get weather", ("get", "get_weather"), "functions.get_weather"),
            ("commentary to=functions.get_json", ("get", "get_json"), "functions.get_json"),
            ("commentary to=functions.getjson", ("get",), "functions.get"),
            # Words of a header that are also the names of tools.
            ("commentary to=functions.json", ("json",), "functions.json"),
            ("commentary to=functions.json json", ("json",), "functions.json"),
            ("commentary to=json", ("json",), None),
            ("commentary json", ("json",), None),
            ("commentary to=functions.user", ("user",), "functions.user"),
            ("commentary functions.user", ("user",), "functions.user"),
            ("commentary to=user", ("user",), None),
            ("commentary user", ("user",), None),
            ("commentary to= user", ("user",), None),
            ("commentary to=functions.final", ("final",), "functions.final"),
            ("commentary final", ("final",), None),
            ("commentary to=functions.assistant", ("assistant",), "functions.assistant"),
            ("commentary to=functions.commentary", ("commentary",), "functions.commentary"),
            ("commentary to=functions.to", ("to",), "functions.to"),
            ("commentary to=functions.function", ("function",), "functions.function"),
            ("commentary to=function", ("function",), "functions.function"),
            # Other scripts.
            ("commentary to=functions.天気json", ("天気",), "functions.天気"),
            ("commentary 天気", ("天気", "天"), "functions.天気"),
            ("commentary to=मौसम", ("मौसम",), "functions.मौसम"),
            ("commentary ПОГОДА", ("погода",), "functions.погода"),
        ]
    ],
)
def test_names_of_tools(text: str, tools: tuple[str, ...], recipient: str | None) -> None:
    assert parse_header(f"<|channel|>{text}", tools, has_author=True).header.recipient == recipient


@pytest.mark.parametrize(
    ("text", "role", "name"),
    [
        pytest.param(text, role, name, id=text)
        for text, role, name in [
            ("user", "user", None),
            ("user<|channel|>commentary", "user", None),
            ("tool:get_weather", "tool", "get_weather"),
            ("get_weather", "tool", "get_weather"),
            ("get_weather<|channel|>commentary", "tool", "get_weather"),
            ("get_weather<|channel|>commentary json", "assistant", None),
            ("functions.nobody<|channel|>commentary json", "tool", "functions.nobody"),
            ("nobody<|channel|>commentary json", "assistant", None),
            ("nobody to=assistant", "tool", "nobody"),
            ("assistant get_weather", "assistant", None),
            ("assistant user", "assistant", None),
            ("<|channel|>final user", "assistant", None),
            ("to=assistant", "assistant", None),
            ("json", "assistant", None),
            ("json get_weather", "assistant", None),
        ]
    ],
)
def test_authors(text: str, role: str, name: str | None) -> None:
    header = parse_header(text, TOOLS).header
    assert (header.role, header.name) == (role, name)
    assert parse_header(text, TOOLS, has_author=True).header.role == "assistant"


CHANNEL_NAMES = {
    "final": ["final", "Final", "FINAL", "finale", "finally", "final_answer", "finall", "fnal", "fin"],
    "analysis": ["analysis", "Analysis", "analyse", "analyze", "analytics", "analysisfinal", "anaylsis"],
    # A name that is only a little similar to `final` is not the answer.
    "commentary": [
        *("commentary", "comment", "comments", "Commentary", "comentary", "commentary_analysis"),
        *("", "answer", "signal", "internal", "terminal", "find", "thoughts", "reasoning", "json", "最終"),
    ],
}


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        pytest.param(name, channel, id=name or "empty")
        for channel, names in CHANNEL_NAMES.items()
        for name in names
    ],
)
def test_closest_channel(name: str, channel: str) -> None:
    assert closest_channel(name) == channel


# Text whose <|message|> is missing.


@pytest.mark.parametrize(
    ("text", "header", "rest"),
    [
        pytest.param(text, header, rest, id=text)
        for text, header, rest in [
            ("", Header("assistant"), ""),
            ("Hello <b>", Header("assistant"), "Hello <b>"),
            ("assistantSet to=5", Header("assistant"), "Set to=5"),
            ("analysis of the data", Header("assistant"), "analysis of the data"),
            ("json", Header("assistant"), "json"),
            ("<|channel|>analysis", ANALYSIS, ""),
            ("<|channel|>analysis We\nthink", ANALYSIS, "We\nthink"),
            ("<|channel|>final Hello", FINAL, "Hello"),
            ("<|channel|>analysis jsonlines", ANALYSIS, "jsonlines"),
            ("<|channel|>commentary to=functions.f json", call("functions.f", None), ""),
            ('<|channel|>commentary to=functions.f <|constrain|>json{"a":1}', call("functions.f"), '{"a":1}'),
            ('to=functions.f json {"a":1}', call("functions.f", None, None), '{"a":1}'),
            ('to=f() json {"a":1}', call("functions.f", None, None), '{"a":1}'),
            ('to=f{"a":1}', call("functions.f", None, None), '{"a":1}'),
            ("<|channel|>analysis to=python code\nprint(1)", call("python", None, "analysis"), "print(1)"),
            ("<|channel|>final to=user Hello", FINAL, "Hello"),
        ]
    ],
)
def test_split_header(text: str, header: Header, rest: str) -> None:
    parsed, actual = split_header(text, TOOLS, has_author=True)
    assert (parsed.header, actual) == (header, rest)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(headers, id=" / ".join(headers))
        for headers in [
            [""],
            ["Hello"],
            ["<|channel|>analysis"],
            ["<|channel|>analysis<|channel|>final"],
            ["<|channel|>commentary to=functions.f<|channel|>commentary <|constrain|>json"],
            ["<|channel|>commentary to=functions.f json<|channel|>commentary"],
            ["functions.f to=assistant<|channel|>commentary"],
            ["Hello <|channel|>final"],
            ["<|channel|>analysis Think. ", "<|channel|>final"],
            ["<|channel|>analysis Think. ", "<|channel|>final<|channel|>final"],
            ["Oh. <|channel|>analysis Think. ", "<|channel|>commentary Look.", "<|channel|>final"],
            ["<|channel|>??", "<|channel|>final"],
            ['<|channel|>commentary to=functions.f{"a":1}', "<|channel|>final"],
        ]
    ],
)
def test_split_at_channels(headers: list[str]) -> None:
    assert split_at_channels("".join(headers)) == headers


# Any text.

SCRAPS = st.sampled_from(
    [
        "<|channel|>",
        "<|constrain|>",
        "assistant",
        "user",
        "json",
        "functions",
        ".",
        "to=",
        " ",
        "add",
        "final",
        "()",
    ]
)
TEXT = st.lists(SCRAPS | st.text(max_size=3), max_size=12).map("".join)


@given(TEXT, st.booleans())
def test_any_header(text: str, has_author: bool) -> None:
    parsed = parse_header(text, TOOLS, has_author=has_author)
    header = parsed.header
    assert header.role == "assistant" or not has_author
    assert header.channel in (None, *CHANNELS)
    assert header.recipient != ""
    assert parsed.renamed_from is None or header.recipient in [f"functions.{tool}" for tool in TOOLS]


@given(TEXT)
def test_any_text_without_a_message_marker(text: str) -> None:
    assert "".join(split_at_channels(text)) == text
    _, rest = split_header(text, TOOLS, has_author=True)
    assert text.endswith(rest)


LONG = [
    "word ",
    "<|channel|>",
    "<|channel|>a b ",
    "<|constrain|> ",
    "to= ",
    "to=a ",
    "to ",
    "add ",
    "assistant",
    "<",
]


@pytest.mark.parametrize("scrap", LONG, ids=str)
def test_long_headers(scrap: str) -> None:
    text = f"<|channel|>commentary to=functions.{scrap * 100_000}"
    started = process_time()
    parse_header(text, TOOLS)
    split_header(text, TOOLS, has_author=True)
    split_at_channels(text)
    assert process_time() - started < 10
