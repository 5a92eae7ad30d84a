"A conversation in the terminal."

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict

import click

from llm_gpt_oss.completion import Json
from llm_gpt_oss.errors import GptOssError

from .answer import Answer
from .client import Client

EXIT = ("/exit", "/quit")
HELP = "Ctrl-C stops an answer. /exit ends the conversation."


class Conversation:
    """Sends messages, and prints the answers as they are written.

    Only answers are printed on standard output. With `shows_reasoning`, the reasoning is printed dimmed on
    standard error. With `prints_json`, each answer is printed at its end, as a line of JSON. `fields` are
    fields of each request.
    """

    def __init__(
        self,
        client: Client,
        system: str | None = None,
        fields: Json | None = None,
        *,
        shows_reasoning: bool = False,
        prints_json: bool = False,
    ) -> None:
        self._client = client
        self._fields = fields or {}
        self._shows_reasoning = shows_reasoning
        self._prints_json = prints_json
        self._messages: list[Json] = [{"role": "system", "content": system}] if system else []

    def send(self, text: str) -> None:
        """Print the answer to this message.

        What was printed of an answer stays a part of the conversation, also if an error or KeyboardInterrupt
        ends it. If nothing was printed, the message is no part of the conversation either.
        """
        question = {"role": "user", "content": text}
        printed: list[str] = []
        answer: Answer | None = None
        try:
            answer = self._print_answer([*self._messages, question], printed)
        finally:
            if answer or "".join(printed).strip():
                message = answer.message if answer else {"role": "assistant", "content": "".join(printed)}
                self._messages += [question, message]

    def _print_answer(self, messages: list[Json], printed: list[str]) -> Answer | None:
        "Print the deltas of an answer, and add its text to `printed`."
        answer, is_in_reasoning = None, False
        with closing(self._client.stream(messages, **self._fields)) as deltas:
            for delta in deltas:
                answer = delta.answer
                if delta.reasoning and self._shows_reasoning:
                    click.echo(click.style(delta.reasoning, dim=True), nl=False, err=True)
                    is_in_reasoning = True
                if delta.text:
                    if is_in_reasoning:
                        click.echo(err=True)
                        is_in_reasoning = False
                    printed.append(delta.text)
                    if not self._prints_json:
                        click.echo(delta.text, nl=False)
        if self._prints_json and answer:
            click.echo(json.dumps(asdict(answer), ensure_ascii=False))
        else:
            click.echo()
        return answer


def hold(conversation: Conversation, read_line: Callable[[], str]) -> None:
    """Hold the conversation until /exit, or until `read_line` raises EOFError.

    An error or a KeyboardInterrupt ends an answer, but not the conversation.
    """
    click.echo(HELP, err=True)
    while True:
        try:
            text = read_line().strip()
            if text in EXIT:
                return
            if text:
                conversation.send(text)
        except EOFError:
            click.echo(err=True)
            return
        except KeyboardInterrupt:
            click.echo(f"\n{HELP}", err=True)
        except GptOssError as error:
            click.echo(f"Error: {error}", err=True)
