from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.clients.server import Served, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    "The server in front of the clients' model. All tests of a module share it."
    folder = tmp_path_factory.mktemp("clients")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLM_USER_PATH", str(folder))
        with serving(folder) as server:
            yield server
