"What the tests of this engine have in common."

from __future__ import annotations

from pathlib import Path

import hugging_face
import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "gpt-oss-tiny itself."
    return hugging_face.write(tmp_path_factory.mktemp("hf"))
