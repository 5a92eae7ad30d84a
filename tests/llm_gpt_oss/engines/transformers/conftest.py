"What the tests of this engine have in common."

from __future__ import annotations

from pathlib import Path

import pytest
from support import hugging_face


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "gpt-oss-tiny itself."
    return hugging_face.write(tmp_path_factory.mktemp("hf"))
