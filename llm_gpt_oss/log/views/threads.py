"A row for each thread, with the totals of its turns."

from __future__ import annotations

from .turns import APP, INPUT_TOKENS, OUTPUT_TOKENS, PROMPT, REQUEST
from .view import Column, View


def _of_thread(select: str, *more: str) -> str:
    "Return SQL that selects a value from the turns of a thread."
    return f"(select {select} from turns {' '.join(more)} where turns.thread_id = threads.id)"


LAST_TURN = "(select max(id) from turns where turns.thread_id = threads.id)"
COLUMNS = (
    Column("thread_id", "threads.id", "the thread"),
    Column("name", "threads.name", "its name: the beginning of the first prompt"),
    Column("forked_from", "threads.forked_from", "the thread whose beginning it shares, if there is one"),
    Column("first_utc", _of_thread("min(turns.datetime_utc)"), "when its first turn began"),
    Column("last_utc", _of_thread("max(turns.datetime_utc)"), "when its last turn began"),
    Column("turns", _of_thread("count(*)"), "the number of turns"),
    Column("apps", _of_thread(f"group_concat(distinct {APP})", REQUEST), "the apps, separated by commas"),
    Column("input_tokens", _of_thread(f"sum({INPUT_TOKENS})"), "tokens of all prompts"),
    Column("output_tokens", _of_thread(f"sum({OUTPUT_TOKENS})"), "tokens of all answers"),
    Column("last_turn_id", LAST_TURN, "its last turn"),
    Column(
        "last_prompt",
        f"(select {PROMPT} from turns where turns.id = {LAST_TURN})",
        "the prompt of its last turn",
    ),
)

VIEW = View("gpt_oss_threads", "A row for each thread", COLUMNS, "threads")
