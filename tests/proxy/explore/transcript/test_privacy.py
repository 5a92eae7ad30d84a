from __future__ import annotations

from pathlib import Path

import llm
import pytest
from support.logged_turns import assistant, turn, user
from support.turn_logs import TurnLog

from proxy.explore.transcript import privacy
from proxy.explore.transcript.privacy import read_privacy
from proxy.log.spool import Spool

from .conftest import Get

HI, HELLO = user("Hi"), assistant("Hello")


def test_what_is_kept_of_each_app(log: TurnLog, tmp_path: Path) -> None:
    log.write(HI, answer=HELLO, actor="laptop:1", client="curl", body="{}")
    log.write(HI, answer=HELLO, actor="laptop:1", client="curl", body="{}", stored=True)
    deleted = log.write(HI, answer=HELLO, client="app", body="{}")
    log.db["gpt_oss_requests"].update(deleted.id, {"deleted": 1})
    log.store.log(turn(HI, answer=HELLO).response)
    found = read_privacy(log.db.conn, tmp_path / "logs.db")
    assert found.counted is None
    rows = {
        (kept.is_shell, kept.key, kept.app): (kept.turns, kept.stored, kept.deleted, kept.characters)
        for kept in found.kept
    }
    assert rows == {
        (False, "laptop:1", "curl"): (2, 1, 0, 2 * len("{}HiHello")),
        (False, None, "app"): (1, 0, 1, len("{}HiHello")),
        (True, None, None): (1, 0, 0, len("HiHello")),
    }
    assert {kept.first for kept in found.kept} == {kept.last for kept in found.kept}
    assert all(kept.first and kept.first.year == 2026 for kept in found.kept)


def test_invalid_times_are_left_out(log: TurnLog, tmp_path: Path) -> None:
    log.write(HI)
    log.db.execute("update turns set datetime_utc = 'yesterday'")
    (kept,) = read_privacy(log.db.conn, tmp_path / "logs.db").kept
    assert (kept.first, kept.last) == (None, None)


def test_a_long_log_is_not_counted_to_its_end(
    log: TurnLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "SECONDS", 0)
    monkeypatch.setattr(privacy, "CHUNK", 5)
    for n in range(12):
        log.write(HI, answer=HELLO, client="early" if n < 7 else "late", body="{}", stored=True)
    path = tmp_path / "logs.db"
    short, whole = (read_privacy(log.db.conn, path, count_all=each) for each in (False, True))
    assert (short.counted, [(kept.app, kept.turns) for kept in short.kept]) == (5, [("late", 5)])
    assert (whole.counted, [(kept.app, kept.turns) for kept in whole.kept]) == (
        None,
        [("early", 7), ("late", 5)],
    )
    assert [(kept.stored, kept.characters) for kept in whole.kept] == [(7, 63), (5, 45)]
    monkeypatch.setattr(privacy, "CHUNK", 12)
    assert read_privacy(log.db.conn, path).counted is None


def test_the_times_of_all_turns(log: TurnLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "CHUNK", 1)
    ids = [log.write(HI).id for _ in range(4)]
    for id, time in zip(ids, ("2026-01-01T12:00", "2026-02-01T12:00", "2026-03-01T12:00", ""), strict=True):
        log.db["turns"].update(id, {"datetime_utc": time})
    (kept,) = read_privacy(log.db.conn, tmp_path / "logs.db").kept
    assert [time and time.month for time in (kept.first, kept.last)] == [1, 3]


def test_only_the_apps_with_the_most_turns_are_shown(
    log: TurnLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "MAX_APPS", 2)
    for client in ("a", "b", "c", "c", "b"):
        log.write(HI, client=client)
    assert {kept.app for kept in read_privacy(log.db.conn, tmp_path / "logs.db").kept} == {"b", "c"}


def test_files(log: TurnLog, tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    path.chmod(0o640)
    Spool(path).keep(turn(HI, answer=HELLO))
    found = read_privacy(log.db.conn, path)
    files = {file.path.name: (file.mode, file.size is None) for file in found.files}
    assert files["logs.db"] == ("-rw-r-----", False)
    assert files["logs.db-unlogged"] == ("drwx------", True)
    assert found.waiting == 1


def test_logging_may_be_off(log: TurnLog, tmp_path: Path) -> None:
    assert read_privacy(log.db.conn, tmp_path / "logs.db").is_logging
    (llm.user_dir() / "logs-off").touch()
    assert not read_privacy(log.db.conn, tmp_path / "logs.db").is_logging


async def test_patterns(log: TurnLog, get: Get) -> None:
    path = llm.user_dir() / "gpt-oss-redact.txt"
    assert f"in the file\n<code>{path}</code>" in (await get("/-/privacy")).text
    path.write_text("sk-[a-z]+")
    assert f"in <code>{path}</code> match is replaced" in (await get("/-/privacy")).text


async def test_the_page(log: TurnLog, get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing yet." in (await get("/-/privacy")).text
    log.write(HI, answer=HELLO, client="<curl>", actor="laptop:1")
    log.store.log(turn(HI, answer=HELLO).response)
    monkeypatch.setattr(privacy, "is_open_to_others", lambda path: True)
    Spool(tmp_path / "logs.db").keep(turn(HI, answer=HELLO))
    (llm.user_dir() / "logs-off").touch()
    monkeypatch.setattr(privacy, "SECONDS", 0)
    monkeypatch.setattr(privacy, "CHUNK", 1)
    page = (await get("/-/privacy")).text
    assert "only its latest 1 turns are counted" in page
    assert '<a href="/logs/-/privacy?all=1">' in page
    page = (await get("/-/privacy?all=1")).text
    assert "are counted" not in page
    for text in (
        "&lt;curl&gt;",
        "laptop:1",
        "LLM, in a shell",
        "Logging is off",
        "logs protect",
        "1 turn waits",
    ):
        assert text in page
