"Writes a conversation as harmony text, as the prompt of the next turn would begin."

from __future__ import annotations

from llm.logs import LogStore

from llm_gpt_oss.logged_prompt import conversation_text, load_prompt

from ..log.logged_turn import LoggedTurn


def harmony_line(log: LogStore, turn: LoggedTurn) -> dict[str, str]:
    """Return the text of the conversation that ends with this turn.

    Raises BadRequest if llm does not have the turn's model as a gpt-oss model, and for attachments that the
    model cannot read.
    """
    prompt, date = load_prompt(log.db, turn.id)
    answer = [stored.message for stored in turn.answer]
    return {"turn": turn.id, "text": conversation_text(prompt, answer, date)}
