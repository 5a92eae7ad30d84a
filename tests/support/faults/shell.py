"The shell: finding 17."

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from support.faults.answers import HELLO
from support.faults.log import Log
from support.faults.log_faults import locked
from support.faults.ollama import BEGIN
from support.faults.process import running
from support.faults.row import PATIENCE, expect, expect_in, row
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

FIRST_RUNS = 8


@row("17")
def signals_in_the_shell(bed: Testbed) -> str:
    "SIGTERM, SIGHUP and Ctrl-C while `llm` prints an answer."
    folder = bed.folder()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        script = bed.ollama.play(stream(*BEGIN, HOLD))
        with running(folder, bed.ollama.url, "-m", "gpt-oss", script.word) as process:
            assert process.stdout
            expect("output", process.stdout.read(5), b"Hello")
            process.send_signal(number)
            process.wait(PATIENCE)
            script.wait_until_gone()
        expect(
            f"text in the log after {number.name}", Log(folder / "logs.db").turn(script.word).text, "Hello"
        )
    return "each time 'Hello' is in the log, and the engine's connection is closed"


@row("17")
def a_reader_that_ends(bed: Testbed) -> str:
    "`llm … | head -c 5`, while the model goes on."
    folder, left = bed.folder(), Event()
    script = bed.ollama.play(stream(*BEGIN, left, *BEGIN[-1:] * 100, HOLD))
    with running(folder, bed.ollama.url, "-m", "gpt-oss", script.word) as process:
        assert process.stdout
        expect("output", process.stdout.read(5), b"Hello")
        process.stdout.close()
        left.set()
        expect("exit status", process.wait(PATIENCE), 141)
        script.wait_until_gone()
    turn = Log(folder / "logs.db").turn(script.word)
    expect_in("text in the log", "Hello", turn.text)
    return "the exit status is 141, and what had arrived is in the log"


@row("17")
def a_locked_log_in_the_shell(bed: Testbed) -> str:
    "The log has an exclusive lock during a prompt. Then another prompt comes, or a server starts."
    folder = bed.folder()
    log = Log(folder / "logs.db")
    first = bed.ollama.play(HELLO).word
    expect("exit status", bed.llm("-m", "gpt-oss", first, folder=folder).status, 0)
    for writer in ("prompt", "server"):
        word = bed.ollama.play(HELLO).word
        with locked(log.path):
            ran = bed.llm("-m", "gpt-oss", word, folder=folder)
        expect("exit status and output", (ran.status, ran.stdout), (0, "Hello\n"))
        expect("turns in the log", len(log.turns(word)), 0)
        if writer == "prompt":
            bed.llm("-m", "gpt-oss", bed.ollama.play(HELLO).word, folder=folder)
        else:
            with bed.serving(folder=folder) as server:
                server.client.get("/health")
                expect("exit status", server.stop(), 0)
        log.turn(word)
    return f"the answer comes; the next prompt or server writes the turn: {ran.stderr.strip()}"


@row("17")
def arguments_that_are_not_utf_8(bed: Testbed) -> str:
    "`llm -m gpt-oss` with the bytes of Latin-1 as prompt, system prompt and option."
    folder = bed.folder()
    latin = "café".encode("latin-1")
    for arguments in ([latin], ["Hi", "-s", latin], ["Hi", "-o", "stop", latin]):
        ran = bed.llm("-m", "gpt-oss", *arguments, folder=folder)
        expect("exit status", ran.status, 1)
        expect("lines of the error", len(ran.stderr.strip().splitlines()), 1)
        expect_in("error", "UTF-8", ran.stderr)
    return ran.stderr.strip()


@row("17")
def many_first_prompts(bed: Testbed) -> str:
    "8 prompts at once, without a database."
    folder = bed.folder()
    words = [bed.ollama.play(HELLO).word for _ in range(FIRST_RUNS)]
    with ThreadPoolExecutor(FIRST_RUNS) as executor:
        ran = [*executor.map(lambda word: bed.llm("-m", "gpt-oss", word, folder=folder), words)]
    expect("outputs", {(each.status, each.stdout, each.stderr) for each in ran}, {(0, "Hello\n", "")})
    log = Log(folder / "logs.db")
    for word in words:
        log.turn(word)
    log.check()
    return f"{FIRST_RUNS} answers, each in the log once"
