"""A training that is killed in the middle of a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cman.training import loop


class Killed(BaseException):
    """What stands in for the end of the process: nothing on the way catches it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let the training inside the block be killed at its step of that number, counted from 1; it must come to it."""
    original, taken = loop.training_step, []

    def interrupted(*arguments):
        taken.append(arguments)
        if len(taken) == step:
            raise Killed
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "training_step", interrupted)
        yield
