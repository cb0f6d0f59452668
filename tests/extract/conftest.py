"""One small model with random weights for all tests of extraction."""

from pathlib import Path

import pytest
from untrained import untrained


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return its folder; tests leave it as it is."""
    return untrained(tmp_path_factory.mktemp("untrained"))
