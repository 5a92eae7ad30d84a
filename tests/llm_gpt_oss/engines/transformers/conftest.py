"Fixtures for the tests of this engine."

from __future__ import annotations

from pathlib import Path

import pytest
from support import hugging_face


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "The folder of gpt-oss-tiny."
    return hugging_face.write_model(tmp_path_factory.mktemp("hf"))
