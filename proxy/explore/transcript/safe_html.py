"""Renders what people, tools and the model wrote as HTML that runs no scripts and loads nothing.

Markdown is rendered without raw HTML and images, and nh3 cleans the result. The time of a page is bounded:
long texts, and texts with much markup, are shown as plain text.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

# Limits of one text, in characters, marks and table cells. The time of some texts grows with the square of
# their marks. Line ends count as marks.
MAX_MARKDOWN = 50_000
MAX_MARKS = 4_000
MAX_CELLS = 4_000
# Limits of one page.
PAGE_MARKDOWN = 400_000
PAGE_MARKS = 40_000
MAX_TEXT = 100_000
PAGE_TEXT = 2_000_000

TAGS = {
    *("p", "br", "hr", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
# `language-…` of code and `text-align` of cells are dropped: nothing here uses them.
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "*": set[str]()}
# The page itself uses h1 to h3.
HEADINGS = {"h1": "h4", "h2": "h5"}
SCHEMES = {"http", "https", "mailto"}
LINK_REL = "noopener noreferrer nofollow"

_ABSOLUTE = re.compile("https?://|mailto:", re.IGNORECASE)
_MARKS = re.compile(r"[\[\]*_`~<&|!\\>#\n-]")
# Invisible characters that change how other text looks: control characters, changes of the text's direction,
# and tags. Also surrogates, which cannot be encoded.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)


def _parser(*extensions: str) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable([*extensions])
    return parser.disable(["image", "html_block", "html_inline"])


_MARKDOWN, _WITHOUT_TABLES = _parser("strikethrough", "table"), _parser("strikethrough")


def visible(page: str) -> str:
    """Return the page with invisible characters replaced by their code points, such as `⟨U+202E⟩`.

    The replacements need no escaping in HTML, so this can be the last step of a page.
    """
    return _HIDDEN.sub(lambda match: f"\u27e8U+{ord(match[0]):04X}\u27e9", page)


class Renderer:
    "Renders the texts of one page. Once the page's limits are used up, further texts are plain or cut."

    def __init__(self) -> None:
        self._markdown, self._marks, self._text = PAGE_MARKDOWN, PAGE_MARKS, PAGE_TEXT

    def markdown(self, text: str) -> Markup:
        marks = len(_MARKS.findall(text)) if len(text) <= MAX_MARKDOWN else MAX_MARKS + 1
        if marks > min(MAX_MARKS, self._marks) or len(text) > self._markdown:
            return self.plain(text)
        self._markdown -= len(text)
        self._marks -= marks
        return Markup('<div class="text">{}</div>').format(_to_html(text))

    def plain(self, text: str) -> Markup:
        "Return the text without formatting, cut if it is too long."
        most = max(0, min(MAX_TEXT, self._text))
        self._text -= min(len(text), most)
        left_out = len(text) - most
        note = Markup('<p class="cut">{:,} more characters are not shown here.</p>').format(left_out)
        shown = Markup('<pre class="plain" tabindex="0">{}</pre>').format(text[:most])
        return shown + note if left_out > 0 else shown

    def json(self, value: Any) -> Markup:
        return self.plain(pretty(value))

    def json_or_plain(self, text: str) -> Markup:
        "Render a tool's output: JSON objects and lists are indented, other texts are plain."
        if len(text) <= MAX_TEXT and text.lstrip()[:1] in ("{", "["):
            try:
                return self.json(json.loads(text))
            except (ValueError, RecursionError):
                pass
        return self.plain(text)


def pretty(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return "This JSON has too many levels to be shown here."


def inline(text: str) -> Markup:
    "Render a sentence of this program, with code in backticks."
    parts = (
        f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(text.split("`"))
    )
    return Markup("".join(parts))  # noqa: S704


def _to_html(text: str) -> Markup:
    parser = _MARKDOWN if _cells(text) <= MAX_CELLS else _WITHOUT_TABLES
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = HEADINGS.get(token.tag, "h6")
    return clean(parser.renderer.render(tokens, parser.options, {}))


def clean(html: str) -> Markup:
    "Return the HTML with only the tags, attributes and links that are allowed."
    cleaned = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=SCHEMES,
        link_rel=LINK_REL,
    )
    return Markup(cleaned)  # noqa: S704


def _attribute(tag: str, name: str, value: str) -> str | None:
    "Drop relative links: they would lead to pages of this server that somebody else chose."
    return None if name == "href" and not _ABSOLUTE.match(value) else value


def _cells(text: str) -> int:
    "Return the most cells that tables in the text can have, with those that the parser adds to short rows."
    cells = 0
    for has_text, block in groupby(text.split("\n"), key=lambda line: bool(line.strip())):
        pipes = [line.count("|") for line in block] if has_text else [0]
        cells += len(pipes) * (max(pipes) + 1) if any(pipes) else 0
    return cells
