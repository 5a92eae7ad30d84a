"Functions of SQL that end soon, whatever somebody asks for."

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import httpx
import pytest

from proxy.explore import sql_functions
from proxy.explore.sql_functions import MAX_PART, BoundedConnection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", factory=BoundedConnection)) as connection:
        yield connection


@pytest.mark.parametrize(
    "expression",
    [
        *("instr('abc', 'c')", "instr('abc', '')", "instr('abc', 'x')", "instr(x'6162', x'62')"),
        *("instr(1234, 34)", "instr(null, 'a')", "instr('a', null)", "instr('äöü', 'ü')"),
        *("replace('aba', 'a', 'x')", "replace('abc', '', 'x')", "replace('abc', 'b', null)"),
        *("replace(null, 'a', 'b')", "replace(1231, 1, 0)", "replace(x'6162', 'a', 'c')"),
        *("trim('xxaxx', 'x')", "ltrim('xyaxx', 'yx')", "rtrim('xxaxy', 'xy')", "trim('a', null)"),
        *("trim('xa', '')", "trim(0.5, 5)"),
        *("'Abc' like '%b_'", "'abc' like 'b'", "'a%c' like 'a!%c' escape '!'", "1234 like '%3%'"),
        *(
            "'abc' like null",
            "null like 'a'",
            "'Ä' like 'ä'",
            "x'6162' like 'AB'",
            "'a' like 'a' escape null",
        ),
        *("'abc' glob 'a[a-c]*'", "'abc' glob 'A*'", "'abc' glob null", "'a]c' glob 'a[]]c'"),
    ],
)
def test_results_are_those_of_sqlite(expression: str, connection: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as plain:
        expected = plain.execute(f"select {expression}, typeof({expression})").fetchone()
    assert connection.execute(f"select {expression}, typeof({expression})").fetchone() == expected


@pytest.mark.parametrize("function", ["instr({0})", "replace({0}, '')", "trim({0})"])
def test_long_parts_are_refused(function: str, connection: sqlite3.Connection) -> None:
    most, more = f"printf('%{MAX_PART}s', 'x')", f"printf('%{MAX_PART + 1}s', 'x')"
    connection.execute(f"select {function.format(f'{more}, {most}')}").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(f"select {function.format(f'{more}, {more}')}").fetchall()


@pytest.mark.parametrize("text", ["hex(zeroblob(600))", "zeroblob(600)"])
@pytest.mark.parametrize(
    "function",
    ["instr({0}, 'x')", "instr({0}, x'01')", "replace({0}, 'a', 'b')", "trim({0}, '0')", "{0} like '%x'"],
)
def test_long_texts_are_refused_before_they_are_read(
    function: str, text: str, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute(f"select {function.format(text)}").fetchall()
    monkeypatch.setattr(sql_functions, "MAX_TEXT", 599)
    monkeypatch.setattr(sql_functions, "MAX_BLOB", 599)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(f"select {function.format(text)}").fetchall()


@pytest.mark.parametrize("escape", ["'xx'", "''"])
def test_an_escape_of_like_that_is_no_character_is_an_error(
    escape: str, connection: sqlite3.Connection
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(f"select 'a' like 'b' escape {escape}").fetchall()


def test_long_results_are_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute("select replace(hex(zeroblob(50000)), '0', hex(zeroblob(50000)))").fetchall()


@pytest.mark.parametrize(
    "expression",
    [
        # SQLite's own functions would take from minutes to hours, and no limit interrupts them.
        pytest.param("instr(hex(zeroblob(5000000)), hex(zeroblob(2000000)) || '1')", id="instr"),
        pytest.param("replace(hex(zeroblob(5000000)), hex(zeroblob(2000000)) || '1', '')", id="replace"),
        pytest.param("trim(hex(zeroblob(5000000)), hex(zeroblob(2000000)) || '1')", id="trim"),
        pytest.param("json_patch('{}', '{}')", id="json_patch"),
        pytest.param("hex(zeroblob(9000000)) like '%' || hex(zeroblob(20)) || '1'", id="like"),
        pytest.param("hex(zeroblob(9000000)) like hex(zeroblob(20)) || '!%' escape '!'", id="like escape"),
        pytest.param("hex(zeroblob(9000000)) glob '*' || hex(zeroblob(20)) || '1'", id="glob"),
    ],
)
async def test_pages_refuse_what_would_never_end(expression: str, browser: httpx.AsyncClient) -> None:
    answer = await browser.get(f"/logs/log.json?sql={quote(f'select {expression}')}")
    assert answer.status_code == 400
