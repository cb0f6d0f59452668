"""Which implementations the tests of this folder run in, and that a failure says in which."""

import pytest
from implementations import EVERY, for_each, implementations, missing, need_compiled


@pytest.mark.cuda
def test_everything_here_runs_on_a_gpu_too():
    """The tests `everywhere`, `once` and `compiled_only` repeat themselves with `operations: cuda`."""
    if (reason := missing("cuda")) is not None:
        pytest.skip(f"{reason}; with one, the tests of this folder repeat themselves on it")


def test_every_instruction_set_of_this_processor_is_tested():
    need_compiled()
    present = [name for name in EVERY if missing(name) is None]
    assert present[:2] == ["reference", "portable"]


def test_a_failure_says_for_which_implementation_and_values():
    @implementations("reference")
    @for_each(size=[1, 2], label=["x"])
    def failing(operations, size, label, other):
        assert operations.is_reference and (size, label, other) != (2, "x", 3)

    failing(other=4)
    with pytest.raises(AssertionError) as caught:
        failing(other=3)
    assert caught.value.__notes__ == ["size: 2, label: x", "operations: reference"]
