from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.standard_output import OutputClosed, any_output

HALF = "0.9\ud83d"


def stream(errors: str, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)


def written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("errors", "encoding", "expected"),
    [
        pytest.param("strict", "utf-8", b"0.9\\ud83d", id="UTF-8"),
        pytest.param("strict", "latin-1", b"0.9\\ud83d", id="another encoding"),
        pytest.param("surrogateescape", "utf-8", b"0.9\\ud83d", id="the C locale"),
        pytest.param("replace", "utf-8", b"0.9?", id="what the user has set"),
    ],
)
def test_any_text_is_printed(
    name: str, errors: str, encoding: str, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, name, output := stream(errors, encoding))
    with any_output():
        output.write(HALF)
    assert written(output) == expected


def test_other_streams_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", output := io.StringIO())
    with any_output():
        print(HALF, end="")
    assert output.getvalue() == HALF


def test_without_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    "As in a program without a console on Windows, or after `>&-`."
    monkeypatch.setattr(sys, "stdout", None)
    with any_output():
        pass


def test_a_full_disk_is_not_a_reader_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", type("Full", (io.StringIO,), {"flush": full})())
    with any_output():
        pass


@contextmanager
def closed_output(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    "Standard output is a pipe that nobody reads."
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as output, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        yield


def print_long_text() -> None:
    print("Hi\n" * 100_000, flush=True)


def fail_as_llm_does() -> None:
    try:
        print("Hi", flush=True)
    except Exception as error:
        raise click.ClickException(str(error))  # noqa: B904


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(lambda: print("Hi"), id="at the end"),
        pytest.param(lambda: print("Hi", flush=True), id="at once"),
        pytest.param(print_long_text, id="long text"),
        pytest.param(lambda: click.echo("Hi"), id="click"),
        pytest.param(fail_as_llm_does, id="an error of llm"),
    ],
)
def test_a_reader_that_left(command: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_output(monkeypatch), pytest.raises(OutputClosed) as raised, any_output():
        command()
    assert raised.value.code == 141
    assert str(raised.value).startswith("interrupted: ")


def test_a_reader_that_left_before_something_was_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_output(monkeypatch), any_output():
        pass


def test_other_errors_stay() -> None:
    "The engine's connection broke. The plugin makes its own error of that."
    broken = GptOssError("The connection broke.")
    broken.__cause__ = BrokenPipeError()
    with pytest.raises(GptOssError), any_output():
        raise broken


def test_a_real_command() -> None:
    script = "import llm_gpt_oss.cli as c; c.gpt_oss(['models', 'list'])"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
