"""A view as a list of columns. Its SQL and its documentation are made from them.

The SQL uses no functions of ours, so that any program that reads SQLite can use the views. Other programs
write to the log, too. JSON that SQLite cannot read (`NaN`), an element of a list that should be an object and
is not, and a number that is none count as missing: an error in one turn would fail the query for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# llm stores the text of a part as it is, or as a list of literal pieces and fragments.
TEXT = """coalesce(part.text, (
    select group_concat(coalesce(json_extract(piece.object, '$.literal'), fragments.content), '')
    from (
        select case type when 'object' then value end as object from json_each(part.json, '$.text_ref')
    ) as piece
    left join fragments on fragments.id = json_extract(piece.object, '$.fragment')
))"""
PARTS = "(select *, case when json_valid(payload) then payload end as json from parts) as part"

# Larger numbers are mistakes, with which a sum would overflow.
MAX_NUMBER = "1e15"


def number(sql: str) -> str:
    "SQL for a count or a time, which is null if the value is not one."
    return f"case when {sql} between 0 and {MAX_NUMBER} then {sql} end"


class Column(NamedTuple):
    "A column: its name, the SQL expression, and its meaning in Markdown."

    name: str
    sql: str
    meaning: str


class View(NamedTuple):
    "A view that selects `columns` from `source`, which is SQL."

    name: str
    meaning: str
    columns: Sequence[Column]
    source: str

    @property
    def select(self) -> str:
        columns = ",\n".join(f"{column.sql} as {column.name}" for column in self.columns)
        return f"select\n{columns}\nfrom {self.source}"
