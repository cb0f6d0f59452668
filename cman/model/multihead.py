"""The baseline: multi-head selection of Bekoulis et al. (2018), with adversarial training in its `-at` form.

    X --BiLSTM x layers--> H --tanh layer, CRF--> entities      [H; label embedding] --multi-head--> relations

Labels are gold in training and the CRF's own at inference. Dropout stands on the inputs and after every BiLSTM.
"""

import torch
from torch import Tensor, nn

from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.features.vocabulary import Vocabulary
from cman.model.attention import token_mask
from cman.model.candidates import Candidates
from cman.model.crf import Crf, Potentials
from cman.model.dropout import Dropout
from cman.model.inputs import Inputs
from cman.model.labels import LabelSource
from cman.model.output import Losses, Prediction
from cman.model.recurrent import Recurrent
from cman.model.relations import MultiHeadRelations


class MultiHead(nn.Module):
    """The baseline; its only CRF counts as the second phase's, so that losses and reports have the same names."""

    def __init__(self, inputs: Inputs, vocabulary: Vocabulary, settings: Settings) -> None:
        super().__init__()
        width = 2 * settings.lstm.hidden
        self.settings = settings
        self.given, self.entities = settings.ner.given, settings.rel.candidates == "entities"
        self.inputs = inputs
        self.input_dropout = Dropout(settings.dropout.inputs)
        sizes = [inputs.size] + [width] * (settings.lstm.layers - 1)
        self.stack = nn.ModuleList(Recurrent(size, settings.lstm.hidden, settings.lstm) for size in sizes)
        self.dropout = Dropout(settings.dropout.recurrent)
        self.crf = Crf(width, vocabulary.tags, settings.crf)
        self.labels = LabelSource(len(vocabulary.tags), settings.label)
        self.embedding = nn.Embedding(len(vocabulary.tags), settings.label.emb) if settings.label.emb else None
        self.candidates = Candidates(vocabulary.tags, settings.rel)
        self.relations = MultiHeadRelations(
            width + settings.label.emb, len(vocabulary.relations), settings.rel, vocabulary.tags
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Which losses there are, in their order."""
        return ("rel",) if self.given else ("second", "rel")

    @property
    def reported_crf(self) -> Crf:
        """The CRF whose entities are reported."""
        return self.crf

    def losses(self, x: Tensor, batch: Batch) -> Losses:
        """Return the losses, each summed over a sentence and averaged over the batch."""
        potentials, _, features, tags = self._features(x, batch)
        if self.entities and tags is None:
            tags = self.crf.decode(potentials, batch.lengths)
        losses = {} if self.given else {"second": self.crf.nll(potentials, batch.tags, batch.lengths).mean()}
        return losses | {"rel": self.relations.loss(features, batch, tags).mean()}

    def predict(self, batch: Batch, least: float | None = None) -> Prediction:
        """Decode the entities and the relations between their tokens; `least` as in `MultiHeadRelations.links`."""
        potentials, labels, features, tags = self._features(self.inputs(batch), batch)
        if tags is None:
            tags = self.crf.decode(potentials, batch.lengths)
        links = self.relations.links(features, batch.lengths, self.candidates(tags), least)
        return Prediction(tags, labels, None, potentials, links)

    def _features(self, x: Tensor, batch: Batch) -> tuple[Potentials, Tensor, Tensor, Tensor | None]:
        x = self.input_dropout(x)
        for layer in self.stack:
            x = self.dropout(layer(x, batch.lengths))
        potentials = self.crf.potentials(x)
        tags: Tensor | None
        if self.given:
            labels, tags = batch.tags, batch.tags.masked_fill(~token_mask(batch.lengths, x.shape[1]), -1)
        else:
            tags = self.crf.decode(potentials, batch.lengths) if self.labels.needs_prediction else None
            labels = self.labels(batch.tags, tags)
        features = x if self.embedding is None else torch.cat([x, self.embedding(labels)], 2)
        return potentials, labels, features, tags
