from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.cli import cli
from llm.logs import merged_log_rows
from llm.parts import AttachmentPart, Message, TextPart
from support.logged_turns import assistant, call, reasoning, turn, user
from support.proxied_engine import HELLO, proxied
from support.pruned_logs import TABLES, Log, opened
from support.scripted_engine import AsyncScriptedEngine

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.progress import Progress
from proxy.log import database, prune, whole_log
from proxy.log.prune import PruneResult
from proxy.log.prune_selection import PruneSelection
from proxy.log.turn import Turn
from proxy.log.writer import LogWriter

HI = user("Hi")
MODEL = {"model": "gpt-oss:20b"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with opened(tmp_path / "logs.db") as log:
        yield log


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (whole_log, database):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 50)


def test_deleted_turns_stay_until_they_are_pruned(log: Log) -> None:
    log.mark(log.write(HI, answer=assistant(reasoning("Hm"), "Hello")))
    before = [*log.db.conn.iterdump()]
    would = log.prune(really=False, vacuum=True)
    assert [*log.db.conn.iterdump()] == before
    did = log.prune()
    assert did == would
    assert [did.rows[table] for table in TABLES] == [1, 1, 2, 3, 1, 1]
    assert log.counts() == [0] * 6
    assert set(log.prune().rows.values()) == {0}


def test_what_another_program_wrote_into_a_call_is_pruned_too(log: Log) -> None:
    log.mark(log.write(HI, answer=assistant(call("1"))))
    kept = log.write(user("Look"), answer=assistant(call("2")))
    log.db.execute("update parts set payload = '{' where type = 'tool_call'")
    log.db.conn.commit()
    prune.prune(log.path, PruneSelection(), really=True, vacuum=False, report=lambda progress: None)
    assert [row["id"] for row in log.db["turns"].rows] == [kept.id]


# Where deleted text could still be found


def vocabulary(log: Log) -> set[str]:
    log.change("create virtual table if not exists temp.words using fts5vocab(main, turn_search_fts, row)")
    return {*log.rows("select term from temp.words")}


def test_the_search_index_forgets_deleted_text(log: Log) -> None:
    kept = log.write(user("apple pie"), answer=assistant("tasty"))
    log.mark(log.write(user("apple juice"), answer=assistant("liquid")))
    assert {"apple", "juice", "liquid"} <= vocabulary(log)
    log.prune()
    assert vocabulary(log) == {"apple", "pie", "tasty"}
    assert [row["id"] for row in merged_log_rows(log.store, query="apple")] == [kept.id]
    assert merged_log_rows(log.store, query="juice") == []
    found = CliRunner().invoke(cli, ["logs", "-q", "juice", "-d", str(log.path)])
    assert (found.exit_code, "juice" in found.stdout) == (0, False)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_file_does_not_contain_deleted_text(log: Log, mode: str) -> None:
    if mode == "wal":
        log.db.enable_wal()
    log.mark(*[log.write(user(f"secret{number} " * 500)) for number in range(20)])
    kept = log.write(user("public"))
    assert not log.prune().copy_remains
    assert b"secret" not in files(log.path)
    size = log.path.stat().st_size
    log.prune(vacuum=True)
    assert log.path.stat().st_size < size - 100_000
    assert b"public" in files(log.path)
    assert log.store.load_chain(log.tip(kept)) == [user("public")]


def files(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.glob("logs.db*") if each.is_file())


def test_another_program_reads_the_log_at_the_same_time(log: Log) -> None:
    log.db.enable_wal()
    log.mark(log.write(user("secret")))
    with closing(sqlite3.connect(log.path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from turns").fetchall()
        assert log.prune().copy_remains
        assert b"secret" in files(log.path)
    assert not log.prune().copy_remains
    assert b"secret" not in files(log.path)


def test_search_works_after_vacuum(log: Log) -> None:
    log.change("insert into responses (id, prompt) values (?, ?)", *([each, f"word{each}"] for each in "abc"))
    log.change("delete from responses where id = 'a'")
    log.prune(vacuum=True)
    rows = merged_log_rows(log.store, query="wordc")
    assert [row["prompt"] for row in rows] == ["wordc"]


async def test_all_that_the_api_deletes() -> None:
    "A response, a stored completion, a conversation with what was asked in it, an item of a conversation."
    async with proxied(AsyncScriptedEngine(*[HELLO] * 4)) as proxy:

        async def made(path: str, **body: Any) -> str:
            return str((await proxy.post(f"/v1/{path}", body)).json()["id"])

        def item(text: str) -> dict[str, str]:
            return {"role": "user", "content": text}

        kept = await made("responses", **MODEL, input="kept response")
        gone = await made("responses", **MODEL, input="secret response", previous_response_id=kept)
        completion = await made("chat/completions", **MODEL, messages=[item("secret completion")], store=True)
        conversation = await made("conversations", items=[item("secret item"), item("kept item")])
        whole = await made("conversations", items=[item("secret conversation")])
        await made("responses", **MODEL, input="secret question", conversation=whole)
        items = (await proxy.get(f"/v1/conversations/{conversation}/items")).json()["data"]
        for path in (
            f"responses/{gone}",
            f"chat/completions/{completion}",
            f"conversations/{whole}",
            f"conversations/{conversation}/items/{items[-1]['id']}",
        ):
            assert (await proxy.client.delete(f"/v1/{path}")).status_code == 200
        with opened(proxy.server.settings.database) as log:
            assert (pruned := log.prune(vacuum=True)).rows["turns"] == 3
            assert pruned.deleted_with_thread == 1
            assert b"secret" not in files(log.path)
        assert (await proxy.get(f"/v1/responses/{kept}")).status_code == 200
        (left,) = (await proxy.get(f"/v1/conversations/{conversation}/items")).json()["data"]
        assert left["content"][0]["text"] == "kept item"


# What can be in the way


def test_there_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match=r"^There is no log at .*nothing\.db\. `llm logs path` shows"):
        prune.prune(tmp_path / "nothing.db", PruneSelection(), report=lambda progress: None)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("kind", ["text", "empty", "another"])
def test_a_file_that_is_not_llms_log(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "notes.db"
    path.write_text("Dear diary, " * 1000 if kind == "text" else "")
    if kind == "another":
        with sqlite_utils.Database(path) as theirs:
            theirs["turns"].insert({"id": "a"})  # type: ignore[union-attr]
    before = path.read_bytes()
    with pytest.raises(GptOssError, match=r"notes\.db is not a log of llm's\. Nothing in it was changed\.$"):
        prune.prune(path, PruneSelection(), really=True, report=lambda progress: None)
    assert path.read_bytes() == before


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match=r"cannot be pruned and was not changed: unable to open"):
        prune.prune(tmp_path, PruneSelection(), report=lambda progress: None)


@pytest.mark.parametrize("lock", ["immediate", "exclusive"])
def test_another_program_holds_the_lock(log: Log, lock: str) -> None:
    log.mark(log.write(HI))
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute(f"begin {lock}")
        with pytest.raises(GptOssError, match=r"cannot be pruned and was not changed: database is locked\.$"):
            log.prune()
    assert log.counts("turns") == [1]


def test_another_program_reads_for_a_moment(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.mark(log.write(HI))
    monkeypatch.setattr(whole_log, "BUSY_TIMEOUT", 10_000)
    reader = sqlite3.connect(log.path, isolation_level=None, check_same_thread=False)

    def report(progress: Progress) -> None:
        if progress.label == "Deleting them":
            reader.execute("begin")
            reader.execute("select * from turns").fetchall()
            threading.Timer(0.3, reader.close).start()

    prune.prune(log.path, PruneSelection(), really=True, report=report)
    assert log.counts() == [0] * 6


def test_an_interrupted_prune_changes_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.mark(log.write(HI))
    monkeypatch.setattr(prune, "MERGE", "insert into missing values (1)")
    with pytest.raises(GptOssError, match="no such table"):
        log.prune()
    assert log.counts() == [1, 1, 1, 1, 1, 1]
    log.check_integrity()


def test_vacuum_fails_after_the_deletion(log: Log) -> None:
    log.mark(log.write(HI))
    log.db.enable_wal()
    opened = sqlite3.connect(log.path, isolation_level=None)

    def report(progress: Progress) -> None:
        if progress.label == "Making the file smaller":
            opened.execute("begin immediate")

    with closing(opened), pytest.raises(GptOssError, match=r"^The turns are deleted, but the file") as raised:
        prune.prune(log.path, PruneSelection(), really=True, vacuum=True, report=report)
    assert raised.value.remedy == "Run `llm gpt-oss logs prune --yes --vacuum` later."
    assert log.counts() == [0] * 6


async def test_prune_while_the_proxy_runs() -> None:
    engine = AsyncScriptedEngine(*[HELLO] * 4)
    messages: list[dict[str, Any]] = []

    async with proxied(engine) as proxy:

        async def ask(text: str) -> None:
            messages.append({"role": "user", "content": text})
            answer = await proxy.chat(*messages)
            messages.append(
                {"role": "assistant", "content": answer.json()["choices"][0]["message"]["content"]}
            )

        for text in ("one", "two", "three"):
            await ask(text)
        *_, third = proxy.turns()
        path = proxy.server.settings.database
        with opened(path) as log:
            log.prune(turns=[third["id"]], vacuum=True)
            await ask("four")
            log.check_integrity()
        turns = proxy.turns()
        assert [each["status"] for each in turns] == [200, 200, 200]
        assert proxy.server.log_writer.status == "ok"
        # All that the client sends is logged again, in the thread that it goes on with.
        with opened(path) as log:
            chain = log.store.load_chain(turns[-1]["tip_message_hash"])
            assert [part.text for each in chain for part in each.parts if isinstance(part, TextPart)] == [
                each["content"] for each in messages
            ]


async def test_turns_during_a_prune_are_logged(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (whole_log, database):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 10_000)
    log.mark(log.write(HI))
    store = LogWriter(log.path)
    await store.open()
    turns = [turn(user(str(number)), answer=assistant("Hello")) for number in range(10)]

    async def record() -> None:
        for each in turns:
            await store.begin(each)
            await asyncio.wrap_future(store.record(each))

    def prune_again_and_again() -> None:
        for _ in range(10):
            prune.prune(log.path, PruneSelection(), really=True, report=lambda progress: None)

    await asyncio.gather(record(), asyncio.to_thread(prune_again_and_again))
    await store.close()
    assert sorted(log.rows("select id from turns")) == [each.id for each in turns]
    log.check_integrity()


# Whatever the log


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "empty.db"
    with opened(path):
        return path


Step = tuple[str, int, int, bool]
STEPS = st.tuples(
    st.sampled_from(["say", "say", "say", "say", "anew", "append", "fork", "converse", "lose"]),
    st.integers(0, 7),
    st.integers(0, 5),
    st.booleans(),
)


def take(log: Log, step: Step, turns: list[Turn]) -> None:
    """One step of a log's life. Few texts, so that the same are said in several places, and each a word of
    its own."""
    kind, base, text, flag = step
    earlier = turns[base] if base < len(turns) else None
    thread_id = log.thread_of(earlier) if earlier else log.store.create_thread(f"ask{text}z")
    chain = log.store.load_chain(log.tip(earlier)) if earlier else []
    match kind:
        case "say" | "anew":
            if kind == "anew":  # as after a turn that failed: it is not gone on from
                chain = []
            elif earlier and flag:
                thread_id = log.store.create_thread(f"ask{text}z", forked_from=thread_id)
            picture = llm.Attachment(type="image/png", content=f"picture{text}z".encode())
            asked = [TextPart(f"ask{text}z\nfragment{text}z"), AttachmentPart(attachment=picture)]
            answer = assistant(reasoning(f"thought{text}z"), f"answer{text + flag}z")
            turns.append(written := turn(*chain, Message("user", asked), answer=answer))
            written.response.prompt.fragments = [f"fragment{text}z"]
            log.store.log(written.response, thread_id=thread_id)
            log.add_request(written)
        case "append":
            log.store.append(thread_id, [user(f"item{text}z")])
        case "fork" if earlier:
            log.store.fork(log.tip(earlier), name=f"ask{text}z", forked_from=thread_id if flag else None)
        case "converse" if thread_id not in log.rows("select thread_id from gpt_oss_conversations"):
            log.run_conversation(thread_id, deleted=flag)
        case "lose":
            log.store.ensure_chain([*chain, user(f"lost{text}z")])


def chains(log: Log) -> dict[str, list[str]]:
    "Where each message leads, down to the first."
    parents = dict(log.rows("select hash, parent_hash from messages"))
    found = {}
    for tip in parents:
        found[tip] = [tip]
        while parent := parents[found[tip][-1]]:
            found[tip].append(parent)
    return found


def words(value: object) -> set[str]:
    return {*re.findall(r"(?:ask|fragment|picture|thought|answer|item|lost)\dz", str(value))}


@settings(max_examples=60)
@given(
    st.lists(STEPS, min_size=1, max_size=10),
    st.sets(st.integers(0, 7), max_size=4),
    st.sampled_from(["marked", "turns", "threads"]),
)
def test_any_log_and_any_selection(empty: Path, steps: list[Step], chosen: set[int], mode: str) -> None:
    path = empty.with_name("logs.db")
    with opened(Path(shutil.copy(empty, path))) as log:
        turns: list[Turn] = []
        for step in steps:
            take(log, step, turns)
        named = [each for number, each in enumerate(turns) if number in chosen] or turns[:1]
        if mode == "marked":
            log.mark(*named)
            choice: dict[str, list[str]] = {}
        elif mode == "turns":
            choice = {"turns": [each.id for each in named]}
        else:
            choice = {"threads": [log.thread_of(each) for each in named]}
        expected = expected_log(log, choice, {each.id for each in named})
        everything = words([*log.db.conn.iterdump(), *log.rows("select content from attachments")])
        actual = pruned_log(log, log.prune(vacuum=True, **choice), everything)
        for what in expected:
            assert (what, actual[what]) == (what, expected[what])


def pruned_log(log: Log, pruned: PruneResult, everything: set[str]) -> dict[str, Any]:
    "What a log holds; `everything` are the words that may be in its files."
    return {
        "tips": dict(log.rows("select id, tip_message_hash from threads")),
        "names": dict(log.rows("select id, name from threads")),
        "turns": log.rows(
            "select id, thread_id, parent_message_hash, tip_message_hash from turns order by id"
        ),
        "chains": {hash: log.store.load_chain(hash) for hash in log.rows("select hash from messages")},
        "kept turns": pruned.kept_turns,
        "shared turns": pruned.shared_turns,
        "conversations": {*log.rows("select thread_id from gpt_oss_conversations")},
        "searched words": vocabulary(log),
        "words in the files": {word for word in everything if word.encode() in files(log.path)},
    }


def expected_log(log: Log, choice: dict[str, list[str]], named: set[str]) -> dict[str, Any]:
    "What `pruned_log` returns after pruning, by the same rules in plain Python."
    lead = chains(log)
    turns = log.rows("select id, thread_id, parent_message_hash, tip_message_hash from turns order by id")
    searched = dict(log.rows("select turn_id, prompt || ' ' || response from turn_search"))
    conversations = dict(log.rows("select thread_id, deleted from gpt_oss_conversations"))
    deleted = [each for each, marked in conversations.items() if marked and not any(choice.values())]
    released = {*choice.get("threads", []), *deleted}
    held = {each for each, marked in conversations.items() if not marked} - released
    now = dict(log.rows("select id, tip_message_hash from threads"))
    chosen = [row for row in turns if row[0] in named or row[1] in released]
    kept_back = [row for row in chosen if row[1] in held and row[3] in lead[now[row[1]]]]
    staying = [row for row in turns if row not in chosen or row in kept_back]

    tip_hashes = {}
    for thread_id, tip in now.items():
        own, kept = ([row for row in rows if row[1] == thread_id] for rows in (turns, staying))
        if thread_id in held or (own == kept and thread_id not in released):
            tip_hashes[thread_id] = tip
        elif kept:
            met = next((each for each in lead[tip] if each in {row[3] for row in own}), None)
            tip_hashes[thread_id] = tip if met in {row[3] for row in kept} else kept[-1][3]
    messages = {
        hash for tip in [*tip_hashes.values(), *(row[3] for row in staying)] if tip for hash in lead[tip]
    }
    first = {thread_id: parent for _, thread_id, parent, _ in reversed(turns)}
    names = {
        thread_id: None if first.get(thread_id) not in {None, *messages} else name
        for thread_id, name in log.rows("select id, name from threads")
        if thread_id in tip_hashes
    }
    loaded = {hash: log.store.load_chain(hash) for hash in messages}
    messages_ = words([*loaded.values(), *names.values()])
    messages_ |= {word.replace("fragment", "picture") for word in messages_ if word.startswith("fragment")}

    return {
        "tips": tip_hashes,
        "names": names,
        "turns": staying,
        "chains": loaded,
        "kept turns": len(kept_back),
        "shared turns": len([row for row in turns if row not in staying and row[3] in messages]),
        "conversations": {*conversations} & {*tip_hashes},
        "searched words": words([searched[row[0]] for row in staying]),
        "words in the files": messages_,
    }
