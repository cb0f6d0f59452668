"""The operations under test, in each implementation that this machine has."""

from collections.abc import Iterator

import pytest
from implementations import EVERY, SETS, Operations, best_set, need_compiled, need_cuda, set_isa

from cman.kernels import use_kernels
from cman.kernels.library import REASON


@pytest.fixture(params=EVERY)
def operations(request: pytest.FixtureRequest) -> Iterator[Operations]:
    """The functions of `cman.kernels` in one implementation; parametrised over all of them where not told otherwise."""
    name: str = request.param
    if name == "cuda":
        need_cuda()
    elif name != "reference":
        need_compiled()
    if name in SETS and not set_isa(name):
        pytest.skip(f"this processor has no {name}")
    use_kernels("reference" if name == "reference" else "auto")
    yield Operations(name)
    use_kernels("auto")
    if REASON is None:
        set_isa(best_set())
