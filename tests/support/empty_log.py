"""An empty log. Its migrations take a tenth of a second, so tests copy one.

copy_empty_log(connection)    # an open connection to an empty database
"""

from __future__ import annotations

import sqlite3
from functools import cache

import sqlite_utils
from llm.logs import LogStore

from llm_gpt_oss.log import migrations
from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.views.versions import create_views


def copy_empty_log(target: sqlite3.Connection) -> None:
    _empty_log().backup(target)


@cache
def _empty_log() -> sqlite3.Connection:
    database = sqlite_utils.Database(memory=True)
    LogStore(database)
    with write_transaction(database.conn):
        migrations.migrate(database.conn)
        create_views(database.conn)
    return database.conn
