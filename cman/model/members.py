"""Several models of one kind as one (`cman ensemble`): averaged tag scores, then averaged relation probabilities.

The CRF's potentials are averaged before decoding, the logarithm of a product of experts, so that one tag sequence and
its marginals come out. Every member then scores the pairs of the entities that all have found together, and the mean of
the probabilities is the ensemble's. A frozen encoder reads a sentence once, whatever the number of members.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from cman.errors import CmanError
from cman.features.batch import Batch
from cman.model.cman import Cman, Read
from cman.model.crf import Crf, Potentials
from cman.model.output import Prediction
from cman.model.pairs import Pairs, pairs_of
from cman.model.span_relations import SpanRelations


class Members(nn.Module):
    """A model for prediction that stands on trained ones.

    Args:
        members: with equal settings and vocabularies.
        where: where they are named, for errors.

    Raises:
        CmanError: fewer than two, or a model whose relation scorer reads no spans, or that is given its entities.
    """

    def __init__(self, members: Sequence[nn.Module], where: str = "members") -> None:
        super().__init__()
        if len(members) < 2:
            raise CmanError(f"{where}: found {len(members)}, wanted two models or more")
        for each in members:
            if not isinstance(each, Cman) or not isinstance(each.relations, SpanRelations) or each.settings.ner.given:
                raise CmanError(f"{where}: found a model of another kind, wanted rel.scorer span (as cman-best has)")
        self.members = nn.ModuleList(members)
        first = cast(Cman, members[0])
        self.settings, self.inputs = first.settings, first.inputs

    @property
    def relations(self) -> SpanRelations:
        """The first member's, whose threshold is that of all."""
        return _scorer(self._each[0])

    @property
    def reported_crf(self) -> Crf:
        """The first member's; its weights are not used, the potentials are those of all."""
        return self._each[0].reported_crf

    def predict(self, batch: Batch, least: float | None = None) -> Prediction:
        """Decode the averaged potentials, and score the pairs of the entities by every member; see `Cman.predict`."""
        read = self.read(batch)
        potentials = _mean([member.reported(one) for member, one in zip(self._each, read, strict=True)])
        tags = self.reported_crf.decode(potentials, batch.lengths)
        pairs = pairs_of(self.relations.reader(tags))
        links = self.relations.chosen(self.probabilities(read, pairs), pairs, least)
        return Prediction(tags, read[0].labels, None, potentials, links)

    def read(self, batch: Batch) -> list[Read]:
        """Return what each member decodes a batch from."""
        return [member.read(batch) for member in self._each]

    def probabilities(self, read: Sequence[Read], pairs: Pairs, temperature: float = 1.0) -> Tensor:
        """Return the mean of the members' probabilities of pairs of entities, (P, labels)."""
        scores = [_scorer(member).scores(one.features, pairs) for member, one in zip(self._each, read, strict=True)]
        return (torch.stack(scores) / temperature).sigmoid().mean(0)

    @property
    def _each(self) -> list[Cman]:
        return [cast(Cman, member) for member in self.members]


def _scorer(member: Cman) -> SpanRelations:
    return cast(SpanRelations, member.relations)


def _mean(potentials: Sequence[Potentials]) -> Potentials:
    return Potentials(*(torch.stack(each).mean(0) for each in zip(*potentials, strict=True)))
