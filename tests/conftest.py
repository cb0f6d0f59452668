"""What all tests share: property tests without a deadline, and one core a worker where several run side by side."""

import os

import hypothesis
import pytest

# A busy machine makes any example slow; how fast something is, benchmarks tell.
hypothesis.settings.register_profile("cman", deadline=None)
hypothesis.settings.load_profile("cman")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutations", type=int, default=20, help="Mutated files that each reader is given (`make fuzz`).")
    parser.addoption("--cases", type=int, default=20, help="Random batches that each kernel is given (`make fuzz`).")


@pytest.fixture
def mutations(pytestconfig: pytest.Config) -> int:
    """How many mutated files a reader is given."""
    return int(pytestconfig.getoption("--mutations"))


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> int:
    """How many random batches a kernel is given."""
    return int(pytestconfig.getoption("--cases"))
