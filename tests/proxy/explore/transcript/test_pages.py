from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import llm
import pytest
import sqlite_utils
from llm.logs import LogStore
from llm.parts import AttachmentPart, Message, ReasoningPart, TextPart
from support.hostile_texts import HOSTILE
from support.logged_turns import MODEL, assistant, call, result, system, turn, user
from support.turn_logs import TurnLog

from proxy.explore import transcript
from proxy.explore.transcript import conversation_page
from proxy.explore.transcript.view import PAGE
from proxy.log.spool import Spool

from .conftest import Get

HI, HELLO = user("Hi"), assistant("Hello")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "get_model", lambda tag: MODEL)


class TestHeaders:
    @pytest.mark.parametrize("path", ["/-/turn/last", "/-/turn/nix", "/-/privacy", "/-/turn/last/prompt"])
    async def test_nothing_runs_and_nothing_is_kept(
        self, log: TurnLog, get: Get, path: str, model: None
    ) -> None:
        log.write(HI, answer=HELLO)
        headers = (await get(path)).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "no-store" in headers["cache-control"]

    async def test_the_style_sheet(self, get: Get) -> None:
        path = "/-/static-plugins/proxy.explore.transcript/transcript.css"
        assert f'"/logs{path}"' in (await get("/-/privacy")).text
        assert (await get(path)).headers["content-type"] == "text/css"


class TestTurn:
    async def test_a_turn(self, log: TurnLog, get: Get) -> None:
        first = log.write(system("Be *brief*"), HI, answer=HELLO, client="curl", queue_ms=1234)
        second = log.write(system("Be *brief*"), HI, HELLO, user("And?"), answer=assistant("**No**"))
        page = await get(f"/-/turn/{second.id}")
        assert page.status_code == 200
        for text in ("<em>brief</em>", "1 earlier turn of", "<strong>No</strong>", "Turn 2", "1.2 s", "curl"):
            assert text in page.text
        assert f'href="/logs/-/thread/{log.thread_of(second)}"' in page.text
        assert f'href="/logs/-/turn/{second.id}/prompt"' in page.text
        assert f'href="/logs/-/turn/{first.id}"' in page.text
        assert f'href="/logs/log/turns/{second.id}"' in page.text

    @pytest.mark.parametrize("prefix", ["resp_", "chatcmpl-", "msg_"])
    async def test_ids_of_the_api_lead_to_it(self, log: TurnLog, get: Get, prefix: str) -> None:
        written = log.write(HI, answer=HELLO)
        page = await get(f"/-/turn/{prefix}{written.id}")
        assert (page.status_code, page.headers["location"]) == (302, f"/logs/-/turn/{written.id}")

    async def test_an_id_of_a_conversation_leads_to_its_thread(self, log: TurnLog, get: Get) -> None:
        thread = log.thread_of(log.write(HI))
        assert (await get(f"/-/turn/conv_{thread}")).headers["location"] == f"/logs/-/thread/{thread}"

    @pytest.mark.parametrize("id", ["nix", "resp_nix", "..%2fx", "%00", "<script>", "a" * 500, "last"])
    async def test_an_unknown_id(self, get: Get, id: str) -> None:
        page = await get(f"/-/turn/{id}")
        assert page.status_code == 404
        assert "llm gpt-oss logs prune" in page.text
        assert "<script>" not in page.text

    async def test_failed(self, log: TurnLog, get: Get) -> None:
        failed = log.write(HI, status=503, error="Down <b>")
        page = (await get(f"/-/turn/{failed.id}")).text
        assert "Failed with 503" in page
        assert "Down &lt;b&gt;" in page

    async def test_cut(self, log: TurnLog, get: Get) -> None:
        cut = log.write(HI, answer=HELLO, finish_reason="length")
        assert ">Cut</span>" in (await get(f"/-/turn/{cut.id}")).text

    async def test_deleted_through_the_api(self, log: TurnLog, get: Get) -> None:
        written = log.write(HI, answer=HELLO)
        log.db["gpt_oss_requests"].update(written.id, {"deleted": 1})
        assert ">Deleted</span>" in (await get(f"/-/turn/{written.id}")).text

    async def test_of_the_shell(self, log: TurnLog, get: Get) -> None:
        written = turn(HI, answer=HELLO)
        log.store.log(written.response)
        page = (await get(f"/-/turn/{written.id}")).text
        assert "LLM, in a shell or a program" in page
        assert "Endpoint" not in page

    async def test_a_schema_and_an_unknown_role(self, log: TurnLog, get: Get) -> None:
        written = turn(Message("critic", [TextPart("Bad")]), answer=HELLO)
        written.response.prompt.schema = {"type": "object", "title": "Poem"}
        log.put(written)
        page = (await get(f"/-/turn/{written.id}")).text
        assert "The answer had to fit a schema" in page
        assert "Poem" in page
        assert "<h3>critic</h3>" in page

    async def test_attachments(self, log: TurnLog, get: Get) -> None:
        image = llm.Attachment(type="image/png", content=b"\x89PNG-secret")
        written = log.write(Message("user", [TextPart("See"), AttachmentPart(image)]), answer=HELLO)
        page = (await get(f"/-/turn/{written.id}")).text
        assert "Attachment, image/png, 11 bytes" in page
        assert "secret" not in page

    async def test_results_without_calls_and_errors_of_tools(self, log: TurnLog, get: Get) -> None:
        lost = Message("tool", [llm.parts.ToolResultPart("look", "", "c9", exception="KeyError: <1>")])
        written = log.write(HI, lost, answer=assistant(ReasoningPart("", redacted=True), call("c1")))
        page = (await get(f"/-/turn/{written.id}")).text
        for text in (
            "Result of",
            "KeyError: &lt;1&gt;",
            "the provider did not show",
            "None in this conversation.",
        ):
            assert text in page

    @pytest.mark.parametrize("in_progress", [True, False])
    async def test_not_in_the_database_yet(
        self, log: TurnLog, get: Get, tmp_path: Path, in_progress: bool
    ) -> None:
        first = log.write(HI, answer=HELLO)
        spool = Spool(tmp_path / "logs.db")
        if in_progress:
            waiting = turn(HI, HELLO, user("And?"), status=500, error="Stopped")
            spool.begin(waiting)
        else:
            waiting = turn(HI, HELLO, user("And?"), answer=assistant("No"))
            spool.keep(waiting)
        page = (await get(f"/-/turn/{waiting.id}")).text
        redirect = await get(f"/-/turn/resp_{waiting.id}")
        spool.close()
        assert "And?" in page
        assert f'href="/logs/-/turn/{first.id}"' in page
        assert ("In progress" in page, "still being written" in page) == (in_progress, in_progress)
        assert ("<p>No</p>" in page) == (not in_progress)
        assert "Stopped" not in page
        assert redirect.headers["location"] == f"/logs/-/turn/{waiting.id}"

    async def test_branches(self, log: TurnLog, get: Get) -> None:
        written = log.write(HI, answer=HELLO)
        other = log.write(HI, answer=assistant("Go <away>"))
        page = (await get(f"/-/turn/{written.id}")).text
        assert f'<a href="/logs/-/turn/{other.id}">Answer: Go &lt;away&gt;</a>' in page


class TestThread:
    async def test_a_thread(self, log: TurnLog, get: Get) -> None:
        written = log.write(HI, answer=HELLO)
        page = await get(f"/-/thread/{log.thread_of(written)}")
        assert (page.status_code, "<h1>Hi</h1>" in page.text) == (200, True)
        assert f'id="turn-{written.id}"' in page.text

    async def test_all_of_whose_turns_failed(self, log: TurnLog, get: Get) -> None:
        failed = log.write(user("Hi"), answer=assistant("Hel"), status=499, error="stopped")
        page = (await get(f"/-/thread/{log.thread_of(failed)}")).text
        assert ("<p>Hi</p>" in page, "<p>Hel</p>" in page) == (True, True)

    async def test_turns_that_are_not_in_its_conversation(self, log: TurnLog, get: Get) -> None:
        first = log.write(HI, answer=HELLO)
        thread = log.thread_of(first)
        failed = log.write(HI, HELLO, user("And?"), status=499, error="Left")
        page = (await get(f"/-/thread/{thread}")).text
        others = page.partition("Other turns of this thread")[2]
        assert failed.id in others
        assert "Failed with 499" in others

    async def test_a_thousand_messages(self, log: TurnLog, get: Get) -> None:
        written = log.write(*(user(str(n)) for n in range(1_000)), answer=HELLO)
        path = f"/-/thread/{log.thread_of(written)}"
        last = (await get(path)).text
        assert "Messages 1,001 to 1,001 of 1,001" in last
        assert f'href="/logs{path}?page=10"' in last
        first = (await get(f"{path}?page=1")).text
        assert first.count('<section class="said user">') == PAGE
        assert (await get(f"{path}?page=x")).text == last

    async def test_without_messages(self, log: TurnLog, get: Get) -> None:
        thread = log.store.create_thread("Empty")
        assert "This thread has no messages." in (await get(f"/-/thread/{thread}")).text

    async def test_ids_of_the_api_lead_to_it(self, log: TurnLog, get: Get) -> None:
        thread = log.thread_of(log.write(HI))
        assert (await get(f"/-/thread/conv_{thread}")).headers["location"] == f"/logs/-/thread/{thread}"
        assert (await get("/-/thread/last")).headers["location"] == f"/logs/-/thread/{thread}"
        assert (await get("/-/thread/nix")).status_code == 404


class TestPrompt:
    async def test_it_is_the_exact_text(self, log: TurnLog, get: Get, model: None) -> None:
        written = log.write(HI, answer=HELLO)
        page = await get(f"/-/turn/{written.id}/prompt")
        assert page.headers["content-type"] == "text/plain; charset=utf-8"
        assert "2026-08-01" in page.text or "2026-07-31" in page.text
        assert page.text.endswith("<|start|>user<|message|>Hi<|end|><|start|>assistant")

    async def test_of_a_turn_that_is_not_there(self, get: Get) -> None:
        page = await get("/-/turn/nix/prompt")
        assert page.status_code == 404
        assert "<code>llm logs list</code>" in page.text


class TestALogThatOnlyLlmWroteTo:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[LogStore]:
        database = sqlite_utils.Database(tmp_path / "logs.db")
        store = LogStore(database)
        store.log(turn(HI, answer=HELLO).response)
        yield store
        database.close()

    @pytest.mark.parametrize("path", ["/-/turn/x", "/-/thread/last", "/-/privacy"])
    async def test_it_says_what_to_type(self, get: Get, path: str) -> None:
        page = await get(path)
        while page.status_code == 302:
            page = await get(page.headers["location"].removeprefix("/logs"))
        assert page.status_code == 404
        assert "<code>llm gpt-oss serve</code> adds their tables" in page.text

    async def test_other_errors_are_errors(self, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversation_page, "TURN", "select nix")
        assert (await get("/-/turn/x")).status_code == 500


class TestTheServer:
    async def test_it_has_these_pages(self, turn_log: TurnLog, browser: httpx.AsyncClient) -> None:
        written = turn_log.write(HI, answer=HELLO)
        page = await browser.get("/logs/-/turn/last", follow_redirects=True)
        assert page.url.path == f"/logs/-/turn/{written.id}"
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        style = re.search('rel="stylesheet" href="([^"]+)"', page.text)
        assert style
        assert (await browser.get(style[1])).status_code == 200


class TestHostileTexts:
    async def test_wherever_they_stand(self, log: TurnLog, get: Get) -> None:
        for text in (*HOSTILE.values(), "\u202e</script>\x00\x1b[0m", "</pre></details></main>"):
            log.write(
                system(text),
                user(text),
                assistant(ReasoningPart(text), call(text, name=text, **{text: f"{text}\n{text}"})),
                result(text, text, name=text),
                answer=assistant(text),
                client=text,
                actor=text,
                error=text,
                status=500,
                endpoint=text,
                ignored=[text],
                model=text,
            )
            for path in ("/-/turn/last", "/-/thread/last", "/-/privacy"):
                page = await get(path)
                while page.status_code == 302:
                    page = await get(page.headers["location"].removeprefix("/logs"))
                assert page.status_code == 200
                html = page.text.lower()
                for bad in (
                    "<script",
                    "<img",
                    "<svg",
                    "<iframe",
                    "<style",
                    "<form",
                    "<base",
                    "<meta http",
                    "<!--",
                ):
                    assert bad not in html
                for bad in ("onerror=", "onload=", "onmouseover="):
                    assert all("<" not in before.rpartition(">")[2] for before in html.split(bad)[:-1])
                assert not {"\u202e", "\x00", "\x1b"} & {*html}
                assert html.count("</main>") == html.count("</html>") == 1


class TestCells:
    @pytest.mark.parametrize(
        ("table", "column", "path"),
        [
            pytest.param("gpt_oss_requests", "turn_id", "/logs/-/turn/abc", id="turn"),
            pytest.param("turns", "id", "/logs/-/turn/abc", id="a turn's own id"),
            pytest.param("threads", "id", "/logs/-/thread/abc", id="a thread's own id"),
            pytest.param("threads", "forked_from", "/logs/-/thread/abc", id="a fork"),
            pytest.param(None, "thread_id", "/logs/-/thread/abc", id="a query"),
        ],
    )
    def test_ids_are_links(self, table: str | None, column: str, path: str) -> None:
        datasette: Any = type(
            "D", (), {"urls": type("U", (), {"path": staticmethod(lambda path: f"/logs{path}")})}
        )
        cell = transcript.render_cell(value="abc", column=column, table=table, datasette=datasette)
        assert cell == f'<a href="{path}">abc</a>'

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [("parts", "id", "abc"), ("parts", "text", "abc"), ("x", "turn_id", None), ("x", "turn_id", "<b>")],
    )
    def test_other_cells_stay(self, table: str, column: str, value: Any) -> None:
        assert transcript.render_cell(value=value, column=column, table=table, datasette=None) is None

    @pytest.mark.parametrize("value", ["2026-12-01T11:03:33.242555+00:00", "2026-12-01T11:03:33Z"])
    def test_times_are_shown_to_the_second(self, value: str) -> None:
        cell = transcript.render_cell(value=value, column="last_utc", table=None, datasette=None)
        assert cell == "2026-12-01 11:03:33"

    @pytest.mark.parametrize("value", ["yesterday", "2026-12-01", 5, None])
    def test_other_times_stay(self, value: Any) -> None:
        assert transcript.render_cell(value=value, column="last_utc", table=None, datasette=None) is None

    async def test_in_datasette(self, log: TurnLog, get: Get) -> None:
        written = log.write(HI, answer=HELLO)
        assert f'href="/logs/-/turn/{written.id}"' in (await get("/log/gpt_oss_requests")).text

    async def test_the_menu(self, get: Get) -> None:
        page = (await get("/")).text
        assert '<a href="/logs/-/turn/last">Latest turn</a>' in page
        assert '<a href="/logs/-/privacy">' in page
