"""CMAN, the two-phase cross-modal attention network (Zhao et al. 2023, section III).

    X  --BSA x m-->  X^m  --CRF-->  first-phase labels                              (8), (9)
    X~1 = BLA1(X^m, L)     X~2 = BiLSTM([X^m; X~1])     X~3 = BLA2(X~2, L)          (12)-(14)
    X~3 --CRF--> entities, --multi-head--> relations                                (15)-(17)

L are label embeddings: of gold labels in training, of the first phase's labels at inference (III-E). With one phase
(`ner.phases`, as in the 2020 conference version) the entities are the first CRF's and X~3 serves the relations alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.features.vocabulary import Vocabulary
from cman.model.attention import BLA, BSA, LabelEncoder, token_mask
from cman.model.candidates import Candidates
from cman.model.crf import Crf, Potentials
from cman.model.dropout import Dropout
from cman.model.inputs import Inputs
from cman.model.label_gate import LabelGate
from cman.model.labels import LabelSource
from cman.model.lesson import Lesson
from cman.model.output import Links, Losses, Prediction
from cman.model.recurrent import Recurrent
from cman.model.relations import MultiHeadRelations
from cman.model.span_relations import SpanRelations


class Read(NamedTuple):
    """What a batch is decoded from."""

    first: Potentials  # of the first phase
    second: Potentials | None  # of the second, if there is one that finds entities
    labels: Tensor  # (B, L) that the second phase read
    features: Tensor  # (B, L, .) that the relation scorer reads
    first_tags: Tensor | None  # (B, L), if they were decoded


class Cman(nn.Module):
    """The full model and, through `settings`, its ablations; shapes as in `Batch`, d = `lstm.hidden`."""

    def __init__(self, inputs: Inputs, vocabulary: Vocabulary, settings: Settings) -> None:
        super().__init__()
        width = 2 * settings.lstm.hidden
        self.settings = settings
        self.inputs = inputs
        self.input_dropout = Dropout(settings.dropout.inputs)
        self.bsa = _stack(inputs.size, settings)
        self.second_bsa = None if settings.bsa.share else _stack(inputs.size, settings)
        self.first_crf = Crf(width, vocabulary.tags, settings.crf)
        self.labels = LabelSource(len(vocabulary.tags), settings.label)
        self.interaction = CrossModalInteraction(vocabulary, settings) if settings.bla.enabled else None
        self.second_crf = Crf(width, vocabulary.tags, settings.crf) if settings.ner.phases == 2 else None
        joined = settings.rel.features == "fused+encoder"
        self.candidates = Candidates(vocabulary.tags, settings.rel)
        size, labels = width + joined * (inputs.size - inputs.static_size), len(vocabulary.relations)
        self.relations: MultiHeadRelations | SpanRelations
        if settings.rel.scorer == "span":
            self.relations = SpanRelations(size, vocabulary.tags, labels, settings.rel, settings.span)
        else:
            self.relations = MultiHeadRelations(size, labels, settings.rel, vocabulary.tags)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Which losses there are, in their order."""
        if self.settings.ner.given:
            return ("rel",)
        return ("first", "rel") if self.second_crf is None else ("first", "second", "rel")

    @property
    def reported_crf(self) -> Crf:
        """The CRF whose entities are reported (`ner.report`)."""
        return self.first_crf if self.second_crf is None or self.settings.ner.report == "first" else self.second_crf

    def losses(self, x: Tensor, batch: Batch, lesson: Lesson | None = None) -> Losses:
        """Return the losses of equations 18 to 20, each summed over a sentence and averaged over the batch.

        Args:
            lesson: what teachers say of the batch; needs the scorer of spans.
        """
        first, _, fused, first_tags = self._two_phases(x, batch)
        features = self._pair_features(fused, x)
        if self.settings.ner.given:
            return {"rel": self.relations.loss(features, batch, first_tags).mean()}
        loss = self.first_crf.nll(first, batch.tags, batch.lengths)
        losses = {"first": loss.mean() if lesson is None else lesson.loss(loss, first, lesson.first)}
        second = None
        if self.second_crf is not None:
            second = self.second_crf.potentials(fused)
            loss = self.second_crf.nll(second, batch.tags, batch.lengths)
            taught = None if lesson is None else lesson.second
            losses["second"] = loss.mean() if lesson is None or taught is None else lesson.loss(loss, second, taught)
        tags = None
        if self.settings.rel.candidates == "entities":
            reported = first if second is None or self.reported_crf is self.first_crf else second
            tags = first_tags if reported is first else None
            tags = self.reported_crf.decode(reported, batch.lengths) if tags is None else tags
        if lesson is None:
            losses["rel"] = self.relations.loss(features, batch, tags).mean()
        else:
            assert isinstance(self.relations, SpanRelations)
            losses["rel"] = self.relations.loss(features, batch, tags, lesson.expected).mean()
        return losses

    def predict(self, batch: Batch, least: float | None = None) -> Prediction:
        """Decode both phases and the relations between the reported entities.

        Args:
            least: see `MultiHeadRelations.links`.
        """
        read = self.read(batch)
        second_tags = None
        if self.second_crf is not None and read.second is not None:
            second_tags = self.second_crf.decode(read.second, batch.lengths)
        potentials = self.reported(read)
        if second_tags is not None and potentials is read.second:
            tags = second_tags
        else:
            tags = self.first_crf.decode(potentials, batch.lengths) if read.first_tags is None else read.first_tags
        links = self._links(read.features, tags, batch, least)
        return Prediction(tags, read.labels, second_tags, potentials, links)

    def read(self, batch: Batch) -> Read:
        """Return all that a batch is decoded from."""
        x = self.inputs(batch)
        first, labels, fused, first_tags = self._two_phases(x, batch)
        second = None
        if self.second_crf is not None and not self.settings.ner.given:
            second = self.second_crf.potentials(fused)
        return Read(first, second, labels, self._pair_features(fused, x), first_tags)

    def reported(self, read: Read) -> Potentials:
        """Return the potentials whose entities are reported (`ner.report`)."""
        return read.first if read.second is None or self.settings.ner.report == "first" else read.second

    def _links(self, features: Tensor, tags: Tensor, batch: Batch, least: float | None) -> Links:
        if isinstance(self.relations, SpanRelations):
            return self.relations.links(features, tags, least)
        return self.relations.links(features, batch.lengths, self.candidates(tags), least)

    def _pair_features(self, fused: Tensor, x: Tensor) -> Tensor:
        """Return what the relation scores read: X~3, joined with the contextual part of X for `fused+encoder`."""
        if self.settings.rel.features == "fused":
            return fused
        return torch.cat([fused, x[:, :, self.inputs.static_size :]], 2)

    def _two_phases(self, x: Tensor, batch: Batch) -> tuple[Potentials, Tensor, Tensor, Tensor | None]:
        """Return the first CRF's potentials, the labels read, X~3 (B, L, 2d) and the first phase's tags if decoded."""
        mask = token_mask(batch.lengths, x.shape[1])
        x = self.input_dropout(x)
        self_aware = _run(self.bsa, x, batch.lengths, mask)
        first = self.first_crf.potentials(self_aware)
        first_tags: Tensor | None
        if self.settings.ner.given:
            labels, first_tags = batch.tags, batch.tags.masked_fill(~mask, -1)
        else:
            first_tags = self.first_crf.decode(first, batch.lengths) if self.labels.needs_prediction else None
            labels = self.labels(batch.tags, first_tags)
        if self.second_bsa is not None:
            self_aware = _run(self.second_bsa, x, batch.lengths, mask)
        if self.interaction is None:
            return first, labels, self_aware, first_tags
        return first, labels, self.interaction(self_aware, labels, batch.lengths, mask), first_tags


class CrossModalInteraction(nn.Module):
    """Two BLA units around a BiLSTM (equations 12 to 14), each with its label BiLSTM and gate unless shared."""

    def __init__(self, vocabulary: Vocabulary, settings: Settings) -> None:
        super().__init__()
        width = 2 * settings.lstm.hidden
        self.embedding = nn.Embedding(len(vocabulary.tags), settings.label.emb)
        encoder, gate = LabelEncoder(settings), _gate(width, settings)
        self.bla1 = BLA(width, encoder, gate, settings)
        second_encoder = encoder if settings.bla.share_label_lstm else LabelEncoder(settings)
        self.bla2 = BLA(width, second_encoder, gate if settings.gate.shared else _gate(width, settings), settings)
        self.recurrent = Recurrent(2 * width, settings.lstm.hidden, settings.lstm)
        self.dropout = Dropout(settings.dropout.recurrent)

    def forward(self, self_aware: Tensor, labels: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        embedded = self.embedding(labels)  # (B, L, d_l)
        first = self.bla1(self_aware, self_aware, embedded, lengths, mask)  # (12)
        fused = self.dropout(self.recurrent(torch.cat([self_aware, first], 2), lengths))  # (13)
        result: Tensor = self.bla2(fused, self_aware, embedded, lengths, mask)  # (14)
        return result


def _stack(size: int, settings: Settings) -> nn.ModuleList:
    sizes = [size] + [2 * settings.lstm.hidden] * (settings.bsa.units - 1)
    return nn.ModuleList(BSA(each, settings) for each in sizes)


def _run(stack: nn.ModuleList, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
    for unit in stack:
        x = unit(x, lengths, mask)
    return x


def _gate(width: int, settings: Settings) -> LabelGate | None:
    return None if settings.gate.kind == "none" else LabelGate(width, settings.gate.kind)
