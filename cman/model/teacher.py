"""Trained models that teach another one, batch by batch (`distil`; ours): see `cman.model.lesson`.

They read a batch as they do at inference, and as an ensemble: averaged potentials, averaged probabilities.
"""

import torch
from torch import Tensor

from cman.config.settings import Distil
from cman.features.batch import Batch
from cman.kernels import crf_nll
from cman.model.crf import Potentials
from cman.model.lesson import Lesson
from cman.model.members import Members
from cman.model.pairs import Pairs


class Teacher:
    """Models that teach.

    Args:
        members: with the vocabulary of the student, and inputs that its batches have.
    """

    def __init__(self, members: Members, settings: Distil) -> None:
        self.members, self.settings = members.eval(), settings

    def to(self, device: str) -> "Teacher":
        """Move the models to a device."""
        self.members.to(device)
        return self

    def lesson(self, batch: Batch) -> Lesson:
        """Read a batch; it draws no random number, so that a student's dropout is what it is without a teacher."""
        with torch.no_grad():
            read = self.members.read(batch)
        second = [each.second for each in read if each.second is not None]

        def probabilities(pairs: Pairs) -> Tensor:
            with torch.no_grad():
                return self.members.probabilities(read, pairs, self.settings.temperature)

        return Lesson(
            self.settings.share,
            self._gradients([each.first for each in read], batch),
            self._gradients(second, batch) if second else None,
            probabilities,
        )

    def _gradients(self, potentials: list[Potentials], batch: Batch) -> Potentials:
        mean = [torch.stack(each).mean(0) / self.settings.temperature for each in zip(*potentials, strict=True)]
        leaves = Potentials(*(each.requires_grad_() for each in mean))
        return Potentials(*torch.autograd.grad(crf_nll(*leaves, batch.tags, batch.lengths).sum(), leaves))
