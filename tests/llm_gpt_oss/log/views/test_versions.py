"Views are created where our code opens a log, replaced by later ones, and in the way of no migration."

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import llm.migrations
import pytest
import sqlite_utils
from support.logged_turns import assistant, call, user
from support.view_logs import ViewLog

from llm_gpt_oss.log import database
from llm_gpt_oss.log.views import versions

NAMES = [*versions.NAMES]
# llm's tables that the views read.
TABLES = ("turns", "threads", "messages", "parts", "fragments")


def open_log(path: Path) -> sqlite_utils.Database:
    return database.open_database(path, busy_timeout=100)


def stored(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select name, sql from sqlite_master where type = 'view'").fetchall()
    return {name: sql for name, sql in rows if name in NAMES}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    "A log of llm's alone."
    path = tmp_path / "llm.db"
    with sqlite_utils.Database(path) as log:
        llm.migrations.migrate(log)  # type: ignore[no-untyped-call]
    return path


def test_the_names_are_those_of_the_views() -> None:
    assert [view.name for view in versions.all_views()] == NAMES


def test_a_log_of_llms_gets_the_views(path: Path) -> None:
    assert stored(path) == {}
    open_log(path).close()
    assert [*stored(path)] == NAMES


def test_current_views_stay_and_need_no_lock(path: Path) -> None:
    open_log(path).close()
    before = stored(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("begin immediate")
        open_log(path).close()
    assert stored(path) == before


def change_text(path: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for name, sql in stored(path).items():
            connection.execute(f"drop view {name}")
            connection.execute(sql.replace(old, new))
        connection.commit()


@pytest.mark.parametrize(
    ("mark", "replaced"),
    [
        pytest.param("/* version 0 */", True, id="earlier"),
        pytest.param("", True, id="without a version"),
        pytest.param("/* version 999 */", False, id="later"),
    ],
)
def test_only_earlier_views_are_replaced(path: Path, mark: str, replaced: bool) -> None:
    open_log(path).close()
    current = stored(path)
    change_text(path, f"/* version {versions.VERSION} */", mark)
    open_log(path).close()
    assert (stored(path) == current) is replaced


def test_a_view_that_somebody_dropped_is_created_again(path: Path) -> None:
    open_log(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("drop view gpt_oss_threads")
    open_log(path).close()
    assert [*stored(path)] == NAMES


def test_a_changed_view_has_a_new_version() -> None:
    "Logs have the views of this version. If this fails, raise VERSION, and write its hash here."
    text = "".join(view.select for view in versions.all_views())
    assert (versions.VERSION, hashlib.sha256(text.encode()).hexdigest()[:16]) == (2, "8004650ca988d41c")


@pytest.mark.parametrize("table", TABLES)
def test_llm_may_rebuild_its_tables(path: Path, table: str) -> None:
    "As a migration does that runs without our code, in a command of llm's."
    open_log(path).close()
    with sqlite_utils.Database(path) as log:
        log[table].transform(column_order=["id"])  # type: ignore[union-attr]
        log[table].add_column("later", str)  # type: ignore[union-attr]
        for name in NAMES:
            assert log.execute(f"select * from {name}").fetchall() == []


def test_a_migration_of_llms_runs_without_the_views(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    "It may rename and drop a column that the views read, which SQLite itself refuses while they exist."

    def m999_later(log: sqlite_utils.Database) -> None:
        assert {*log.view_names()}.isdisjoint(NAMES)
        log.execute("alter table turns add column later text")
        log.execute("alter table turns drop column later")

    open_log(path).close()
    steps = [*llm.migrations.MIGRATIONS, m999_later]
    for module, name in ((llm.migrations, "MIGRATIONS"), (database, "LLMS")):
        monkeypatch.setattr(module, name, steps)
    open_log(path).close()
    assert [*stored(path)] == NAMES


def test_other_programs_read_the_views(log: ViewLog, tmp_path: Path) -> None:
    log.write(user("Hi"), answer=assistant(call("c1")))
    log.db.close()
    copy = shutil.copy(log.path, tmp_path / "copy.db")
    uri = f"{Path(copy).as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        counts = [connection.execute(f"select count(*) from {name}").fetchone()[0] for name in NAMES]
        columns = [
            description[0] for description in connection.execute("select * from gpt_oss_turns").description
        ]
    assert counts == [1, 2, 1, 1]
    assert columns == [column.name for column in versions.all_views()[0].columns]
