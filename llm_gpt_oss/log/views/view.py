"""A view as a table of columns, from which its SQL and its documentation are made.

The SQL uses no functions of ours, so that any program that reads SQLite can use the views. JSON that SQLite
cannot read (`NaN`) counts as missing, because it would fail the whole query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# llm stores the text of a part as it is, or as a list of literal pieces and fragments.
TEXT = """coalesce(part.text, (
    select group_concat(coalesce(json_extract(piece.value, '$.literal'), fragments.content), '')
    from json_each(part.json, '$.text_ref') as piece
    left join fragments on fragments.id = json_extract(piece.value, '$.fragment')
))"""
PARTS = "(select *, case when json_valid(payload) then payload end as json from parts) as part"


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
