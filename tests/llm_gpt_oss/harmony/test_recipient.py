from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.harmony.recipient import names_no_tool, tool_on_offer

# Each way to write a recipient stands for the same tool, whatever the tool is called.
SPELLINGS = [
    pytest.param(spelling, id=spelling)
    for spelling in (
        "functions.{}",
        "{}",
        "function.{}",
        "Functions.{}",
        "tools.{}",
        "functions.functions.{}",
        "functions.function.{}",
        "functions..{}",
        "functions:{}",
        "functions/{}",
        "functions->{}",
        ".{}",
        "to=functions.{}",
        "to:{}",
        '"functions.{}"',
        "'functions.{}'",
        "'{}'",
        "functions.'{}'",
        'functions["{}"]',
        "`functions.{}`",
        "**{}**",
        "[functions.{}]",
        "(functions.{})",
        "<functions.{}>",
        "{{functions.{}}}",
        "functions[{}]",
        "functions.{}()",
        'functions.{}("Oslo", 2)',
        "functions.{}(",
        "functions.{}{{}}",
        "functions.{}?",
        "functions.{}??",
        "functions.{}!",
        "functions.{},",
        "functions.{};",
        "functions.{}.",
        "functions.{}:",
        "functions.{}:json",
        "functions.{}/json",
        "functions.{}=json",
        "functions.{}|json",
        "functions.{}\u2026",
        "functions.{}\u200b",
        "functions.{}\u2013\u2013commentary",
        "\u201cfunctions.{}\u201d",
        "functions.{}json",
        "functions.{}JSON",
        "functions.{}code",
        "functions.{}text",
        "functions.{}_json",
        "functions.{}.json",
        "functions.{}-json",
        "functions.{}commentary",
        "functions.{}analysis",
        "functions.{}commentaryjson",
        "functions.{}commentary.json",
        "{}json",
    )
]
NAMES = [
    "get_weather",
    "add",
    "f",
    "crm.find",
    "files-patch",
    "mcp__server__tool",
    "json",
    "json_code",
    "user",
    "final",
    "assistant",
    "functional",
    "tooling",
    "to-do",
    "tomorrow",
    "2fa",
    "天気",
    "погода",
    "मौसम",
    "الطقس",
    "weer_café",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(spelling: str) -> None:
    found = {name: tool_on_offer(spelling.format(name), ["other", name]) for name in NAMES}
    assert found == {name: name for name in NAMES}


@pytest.mark.parametrize(
    ("written", "tools", "expected"),
    [
        pytest.param("functions.Get_Weather", ["get_weather"], "get_weather", id="capitals"),
        pytest.param("functions.getWeather", ["get_weather"], "get_weather", id="camel case"),
        pytest.param("functions.get-weather()", ["get_weather"], "get_weather", id="hyphen"),
        pytest.param("functions.crm_find", ["crm.find"], "crm.find", id="underscore for a dot"),
        pytest.param("GETWEATHER", ["get_weather"], "get_weather", id="no separator"),
        pytest.param(
            "functions.getWeather", ["get_weather", "get.weather"], None, id="two with the same letters"
        ),
        pytest.param(
            "functions.get_weather", ["get_weather", "get.weather"], "get_weather", id="exact first"
        ),
        pytest.param("Add", ["add", "ADD"], None, id="two in other capitals"),
        pytest.param("functions.get", ["get", "get_weather"], "get", id="beginning of another name"),
        pytest.param("functions.get_weather", ["get", "get_weather"], "get_weather", id="longer name"),
        pytest.param("functions.weather", ["get_weather"], None, id="end of a name"),
        pytest.param("functions.get_wea", ["get_weather"], None, id="part of a name"),
        pytest.param("functions.get_weathers", ["get_weather"], None, id="more than a name"),
        pytest.param(
            "functions.get_weather_v2", ["get_weather"], None, id="longer name that is not on offer"
        ),
        pytest.param("getjson", ["get", "get_json"], "get_json", id="glued format is part of another name"),
        pytest.param("get_json", ["get", "get_json"], "get_json", id="format is part of the name"),
        pytest.param("get_json", ["get"], "get", id="format after the only name"),
        pytest.param("ajsonjson", ["a", "ajson"], None, id="formats after two names"),
        pytest.param("functions.get_jsonl", ["get"], None, id="more than a format"),
        pytest.param("functions.json", ["json"], "json", id="tool called json"),
        pytest.param("functions.jsonjson", ["json"], "json", id="tool called json, format"),
        pytest.param("json", ["a"], None, id="only a format"),
        pytest.param("functions.delete_all", ["get_weather"], None, id="not on offer"),
        pytest.param("browser.search", ["search"], None, id="another namespace"),
        pytest.param("python", ["get_weather"], None, id="built-in tool"),
        pytest.param("multi_tool_use.parallel", ["parallel"], None, id="tool of other models"),
        pytest.param("functions.add,functions.get", ["add", "get"], "add", id="two recipients"),
        pytest.param("functions", ["add"], None, id="only the namespace"),
        pytest.param("functions.", ["add"], None, id="only the namespace and a dot"),
        pytest.param("", ["add"], None, id="empty"),
        pytest.param("", ["_"], None, id="empty, name without letters"),
        pytest.param("??", ["add"], None, id="only punctuation"),
        pytest.param("''", ["add"], None, id="only quotes"),
        pytest.param("functions.add", [], None, id="no tools"),
        pytest.param("", [], None, id="empty, no tools"),
    ],
)
def test_tool_on_offer(written: str, tools: list[str], expected: str | None) -> None:
    assert tool_on_offer(written, tools) == expected


@pytest.mark.parametrize(
    "recipient",
    [
        "user",
        "User",
        "all",
        "assistant",
        "system",
        "developer",
        "everyone",
        "none",
        "json",
        "final",
        "analysis",
        "commentary",
        "user.",
        "user,",
        '"user"',
        "`all`",
        "[user]",
        "<user>",
        "user()",
        "**all**",
        "??",
        '""',
    ],
    ids=str,
)
def test_recipients_that_are_not_tools(recipient: str) -> None:
    assert names_no_tool(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "functions.user",
        "functions.json",
        "users",
        "user_list",
        "get_all",
        "nobody",
        "python",
        "functions",
    ],
    ids=str,
)
def test_other_recipients(recipient: str) -> None:
    assert not names_no_tool(recipient)


NAME = st.from_regex(r"[a-z_.-]{1,6}", fullmatch=True)
SCRAPS = st.sampled_from(["functions.", "json", "()", "to=", '"', ".", "commentary"])


@given(st.lists(NAME, max_size=4), st.lists(NAME | SCRAPS | st.text(max_size=3), max_size=4).map("".join))
def test_any_recipient(tools: list[str], written: str) -> None:
    assert tool_on_offer(written, tools) in [None, *tools]


@given(st.lists(NAME, min_size=1, max_size=4), st.data())
def test_the_name_itself_wins(tools: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(tools))
    assert tool_on_offer(f"functions.{name}", tools) == tool_on_offer(name, [name]) == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 500_000, id="letters"),
        pytest.param("." * 500_000, id="dots"),
        pytest.param("functions." * 50_000, id="namespaces"),
        pytest.param("functions.add" + "_json" * 100_000 + "x", id="formats"),
        pytest.param("functions.add" + "._-" * 150_000 + "x", id="separators"),
        pytest.param("functions.add" + "(" * 500_000, id="brackets"),
    ],
)
def test_long_recipients(text: str) -> None:
    started = process_time()
    tool_on_offer(text, ["add", "get_weather"])
    assert process_time() - started < 5


def test_hundreds_of_calls_find_one_of_thousands_of_tools() -> None:
    # Comparing each call with each tool would take minutes.
    tools = tuple(f"tool_{number}" for number in range(12_000))
    assert {tool_on_offer("Tool-11999", tools) for _ in range(300)} == {"tool_11999"}
    assert {tool_on_offer("tool_7json", tools) for _ in range(300)} == {"tool_7"}
