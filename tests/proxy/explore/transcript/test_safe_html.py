from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from support.growth import assert_linear
from support.hostile_texts import HOSTILE

from proxy.explore.transcript.safe_html import (
    MAX_MARKDOWN,
    MAX_MARKS,
    MAX_TEXT,
    PAGE_MARKDOWN,
    PAGE_MARKS,
    PAGE_TEXT,
    Renderer,
    clean,
    inline,
    visible,
)

ALLOWED = {
    "div": {"class"},
    "pre": {"class", "tabindex"},
    "p": {"class"},
    "a": {"href", "rel"},
    "ol": {"start"},
    **{
        tag: set[str]()
        for tag in (
            *("br", "hr", "h4", "h5", "h6", "blockquote", "code", "em", "strong", "s", "ul", "li"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        )
    },
}


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    handle_decl = unknown_decl = handle_pi = handle_comment


def assert_harmless(html: str) -> None:
    elements = Elements(html)
    assert not elements.comments
    for tag, attributes in elements.found:
        assert {*attributes} <= ALLOWED[tag], (tag, attributes)
        if href := attributes.get("href"):
            assert re.match("https?://|mailto:", href)
            assert attributes["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_hostile_texts(text: str) -> None:
    renderer = Renderer()
    assert_harmless(renderer.markdown(text))
    assert_harmless(clean(text))
    assert_harmless(renderer.plain(text))
    assert_harmless(renderer.json({text: [text]}))
    assert_harmless(renderer.json_or_plain(json.dumps([text])))
    assert_harmless(inline(text))


def test_markdown() -> None:
    text = "# One\n### Three\n\n*a* **b** `c` ~~d~~\n\n|x|\n|-|\n|1|\n\n3. e\n\n> f\n\n```py\ng < h\n```"
    html = Renderer().markdown(text)
    assert [tag for tag, _ in Elements(html).found] == [
        *(
            "div",
            "h4",
            "h6",
            "p",
            "em",
            "strong",
            "code",
            "s",
            "table",
            "thead",
            "tr",
            "th",
            "tbody",
            "tr",
            "td",
        ),
        *("ol", "li", "blockquote", "p", "pre", "code"),
    ]
    assert "g &lt; h" in html


@pytest.mark.parametrize(
    ("text", "href"),
    [
        pytest.param("[a](https://a.b/c?d=1&e=2)", "https://a.b/c?d=1&amp;e=2", id="https"),
        pytest.param("<http://a.b>", "http://a.b", id="autolink"),
        pytest.param("[a](mailto:me@a.b)", "mailto:me@a.b", id="mail"),
        pytest.param("![a](https://a.b/c.png)", "https://a.b/c.png", id="an image becomes a link"),
    ],
)
def test_links(text: str, href: str) -> None:
    assert f'<a href="{href}" rel="noopener noreferrer nofollow">' in Renderer().markdown(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\u202eb", "a⟨U+202E⟩b", id="right to left override"),
        pytest.param("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩", id="isolates"),
        pytest.param("a\x00\x1b[31m", "a⟨U+0000⟩⟨U+001B⟩[31m", id="control characters"),
        pytest.param("a\x85b", "a⟨U+0085⟩b", id="C1"),
        pytest.param("a\U000e0041", "a⟨U+E0041⟩", id="invisible tags"),
        pytest.param("a\ud800", "a⟨U+D800⟩", id="surrogates"),
        pytest.param("a\tb\r\nc", "a\tb\r\nc", id="lines stay"),
        pytest.param("שלום 👩‍🚀 é", "שלום 👩‍🚀 é", id="scripts and emoji stay"),
    ],
)
def test_what_cannot_be_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "unit", ["[", "*", "`", "_a", "[](", "[a](", "> ", "- ", "|a|\n", "<", "![", "&", "**a"]
)
def test_a_megabyte_of_markup_is_shown_as_it_is(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    renderer = Renderer()
    html = renderer.markdown(text)
    assert html.startswith('<pre class="plain"')
    assert f"{len(text) - MAX_TEXT:,} more characters" in html


@pytest.mark.parametrize(
    "unit", ["[", "*a_ ", "`a``", "> ", "|a\n", "a|b\n-|-\n|\n", "[a](b", "![", "1. ", "a\n\n"]
)
def test_linear_time(unit: str) -> None:
    assert_linear(lambda text: Renderer().markdown(text), lambda size: unit * (size // len(unit)))


@pytest.mark.parametrize("unit", ["[", "a\n\n", "[a](b"])
def test_the_markup_of_a_page_is_bounded(unit: str) -> None:
    renderer = Renderer()
    text = unit * (MAX_MARKS // len(unit))
    shown = [renderer.markdown(text) for _ in range(100)]
    rendered = [html for html in shown if not html.startswith("<pre")]
    marks = sum(text.count(mark) for mark in "[]\n")
    assert len(rendered) == PAGE_MARKS // marks
    assert shown[: len(rendered)] == rendered


def test_the_markdown_of_a_page_is_bounded() -> None:
    renderer = Renderer()
    shown = [renderer.markdown("*a*" + "b" * 9_997) for _ in range(100)]
    assert sum("<em>" in html for html in shown) == PAGE_MARKDOWN // 10_000


def test_a_wide_table_is_text() -> None:
    wide = "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|x\n" * 50
    assert "<table>" not in Renderer().markdown(wide)
    assert "<em>" in Renderer().markdown(f"{wide}\n\n*a*")


def test_long_markdown_is_text() -> None:
    assert "<em>" in Renderer().markdown("*a*" + "b" * (MAX_MARKDOWN - 3))
    assert "<em>" not in Renderer().markdown("*a*" + "b" * (MAX_MARKDOWN - 2))


def test_the_text_of_a_page_is_bounded() -> None:
    renderer = Renderer()
    shown = sum(len(renderer.plain("a" * MAX_TEXT)) for _ in range(2 * PAGE_TEXT // MAX_TEXT))
    assert PAGE_TEXT < shown < 1.1 * PAGE_TEXT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param('{"a":[1,"é"]}', '{\n  "a": [\n    1,\n    "é"\n  ]\n}', id="an object"),
        pytest.param(" [1]", "[\n  1\n]", id="a list"),
        pytest.param("12345678901234567890123", "12345678901234567890123", id="a number stays"),
        pytest.param("{not json}", "{not json}", id="almost JSON"),
        pytest.param("[" * 50_000, "[" * 50_000, id="deep JSON"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_json(text: str, shown: str) -> None:
    html = Renderer().json_or_plain(text)
    assert html.unescape() == f'<pre class="plain" tabindex="0">{shown}</pre>'


def test_json_that_is_too_deep() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert "too many levels" in Renderer().json(value)


def test_code_in_our_sentences() -> None:
    assert inline("cut by `max_tokens` <") == "cut by <code>max_tokens</code> &lt;"


def test_html_is_shown_as_text() -> None:
    assert "&lt;b&gt;a&lt;/b&gt;" in Renderer().markdown("<b>a</b>")
    assert "&lt;div&gt;" in Renderer().markdown("<div>\n\na")
