"""A training that is killed in the middle of a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cman.training.module import JointTraining


class Killed(BaseException):
    """What stands in for the end of the process: nothing on the way catches it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let the training inside the block be killed at its step of that number, counted from 1; it must come to it."""
    original, taken = JointTraining.training_step, []

    def interrupted(self, batch, batch_idx):
        taken.append(batch_idx)
        if len(taken) == step:
            raise Killed
        return original(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(JointTraining, "training_step", interrupted)
        yield
