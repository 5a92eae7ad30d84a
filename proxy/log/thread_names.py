"""The ids and names of threads."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm.parts import Message, TextPart
from llm.utils import monotonic_ulid

from llm_gpt_oss.log.redacting_store import RedactingStore
from llm_gpt_oss.log.redaction import Redaction

NAME_LENGTH = 60
# The characters of which a name is made, which may have spaces in a row.
MAX_READ = 10_000
OPENING_TAG = re.compile(r"<[\w-]+>")
CLOSING_TAG = re.compile(r"</[\w-]+>\Z")


def new_thread_id() -> str:
    """Return an id in the format of llm's ids that sorts before all of them.

    `llm -c` continues the thread with the highest id, which must never be the thread of an app.
    """
    return "00" + str(monotonic_ulid()).lower()[2:]


def name_thread(
    log: RedactingStore, thread_id: str, messages: Sequence[Message], removed: Sequence[Message] = ()
) -> None:
    "Name a thread after `messages` if it has no name yet or was named after the `removed` messages."
    name, old_name = thread_name(messages, log.redaction), thread_name(removed, log.redaction)
    sql = "update threads set name = ? where id = ? and (name is null or name = ?)"
    log.db.conn.execute(sql, [name or None, thread_id, old_name or None])


def thread_name(messages: Sequence[Message], redaction: Redaction) -> str:
    """The first text that a user wrote, redacted, on one line and shortened.

    System prompts and tagged texts of agents are skipped: they make poor names.
    """
    parts = [part for message in messages if message.role == "user" for part in message.parts]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    name = next((text for text in texts if not _is_tagged(text)), (texts or [""])[0])
    # A text may be long, and its words take ten times as much memory.
    line = " ".join(redaction.text(name).lstrip()[:MAX_READ].split())
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"


def _is_tagged(text: str) -> bool:
    """Whether the text is within tags, perhaps below a heading.

    That is how agents such as Codex put their environment and AGENTS.md before the person's own text.
    """
    text = text.strip()
    if text.startswith("#"):
        text = text.partition("\n")[2].lstrip()
    return bool(OPENING_TAG.match(text) and CLOSING_TAG.match(text, max(text.rfind("</"), 0)))
