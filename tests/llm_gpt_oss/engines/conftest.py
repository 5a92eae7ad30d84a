"What the tests of engines have in common."

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from support.scripted_server import Reply, Scripted


@pytest.fixture
def play() -> Iterator[Callable[..., Scripted]]:
    "`play(reply, …)` is a server that gives these replies, until the test ends."
    with ExitStack() as servers:

        def start(*replies: Reply) -> Scripted:
            return servers.enter_context(Scripted(*replies))

        yield start
