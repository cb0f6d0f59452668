"""What trained models say of a batch, and a student's losses with it (`distil`; ours).

After Hinton et al. (2015) and, for tag sequences, Wang et al. (2020). A CRF with potentials θ learns from the teacher's
distribution q over tag sequences by its cross-entropy. That is linear in the marginals of q, and these differ from the
gold tags by the gradient of the teacher's own loss, so that

    (1 - a) L(gold; θ) + a H(q, θ)  =  L(gold; θ) - a <θ, dL(gold; θ_teacher) / dθ_teacher>

needs no other operation than training does. A pair of entities learns from the mean of the teachers' probabilities.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cman.model.crf import Potentials
from cman.model.pairs import Pairs


class Lesson(NamedTuple):
    """What a batch is taught; made by `cman.model.teacher.Teacher`."""

    share: float  # a
    first: Potentials  # the gradients above, of the first phase, summed over the batch
    second: Potentials | None  # of the second, if there is one
    probabilities: Callable[[Pairs], Tensor]  # of pairs of entities, (P, labels)

    def loss(self, gold: Tensor, potentials: Potentials, gradients: Potentials) -> Tensor:
        """Return the loss above, averaged over a batch.

        Args:
            gold: the loss of the gold tags, (B,).
            potentials: of the student.
            gradients: `first` or `second`.
        """
        agreed = torch.stack([(one * other).sum() for one, other in zip(potentials, gradients, strict=True)]).sum()
        return gold.mean() - self.share * agreed / len(gold)

    def expected(self, gold: Tensor, pairs: Pairs) -> Tensor:
        """Return targets of pairs, (P, labels), between the gold relations and the teachers'."""
        return torch.lerp(gold, self.probabilities(pairs).to(gold.dtype), self.share)
