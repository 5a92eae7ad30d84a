"What the selection of turns to redact costs, in steps of SQLite's."

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from support.view_logs import ViewLog

from proxy.log.redact_selection import RedactSelection, select_keys


def steps(path: Path, turns: int) -> int:
    log = ViewLog(path)
    log.fill("t1", turns)
    log.db.conn.execute("update turns set datetime_utc = '2020-01-01T00:00:00'")
    log.db.conn.commit()
    log.db.conn.isolation_level = None
    selection = RedactSelection(before=datetime(2021, 1, 1, tzinfo=timezone.utc))
    count = log.count_steps(lambda: select_keys(log.db.conn, selection))
    assert log.db.execute("select count(*) from temp.chosen_messages").fetchone() == (2 * turns,)
    log.db.close()
    return count


def test_a_long_thread_takes_linear_time(tmp_path: Path) -> None:
    assert steps(tmp_path / "long.db", 800) < 12 * steps(tmp_path / "short.db", 100)
