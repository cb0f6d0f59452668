"""Interventions instead of rates: what the second phase does with labels that are not the first phase's own.

A model reads the labels of its first phase (section III-E). Here others are put into their place, with the label gate
or without it (k = 1 in equation 11), and everything behind them is decoded anew:

    predicted   those of the first phase, as at inference
    gold        the annotated ones
    outside     O for every token
    flipped     the first phase's entities, each of the next type
    noised      a share of the first phase's labels replaced by random ones

`followed` is the share of the changed labels that the second CRF repeats, `repaired` the share of the first phase's
wrong tokens that it sets right, `spoiled` the share of its right entity tokens that it does not keep; all in percent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from cman.corpora.document import Document, read_documents
from cman.corpora.overlap import keep_longest
from cman.corpora.ranking import LEAST, Ranking
from cman.errors import CmanError
from cman.evaluation.counts import Counts, strict_counts
from cman.evaluation.ranking import THRESHOLDS, average_precision, counts_above, ranked
from cman.features.batch import EncodedDocuments
from cman.features.cache import FeatureCache
from cman.features.lengths import batches_by_length
from cman.features.vocabulary import Vocabulary
from cman.files import read_json, write_csv
from cman.layout import Layout
from cman.model.annotate import BATCH_SIZE, PADDED_TOKENS, joint_threshold
from cman.model.cman import Cman
from cman.model.decode import Dropped, decode_batch
from cman.model.folder import ModelFolder
from cman.model.output import Prediction

NOISE = (0.1, 0.25, 0.5, 0.75, 1.0)
LABELS = ("predicted", "gold", "outside", "flipped", *(f"noised {100 * share:.0f} %" for share in NOISE))
COLUMNS = ("labels", "gate", "figure", "threshold", "value")


class Replaced(nn.Module):
    """Stands in the place of a model's label source, and remembers what the first phase said."""

    needs_prediction = True

    def __init__(self, kind: str, vocabulary: Vocabulary, seed: int = 1) -> None:
        super().__init__()
        self.kind, self.first = kind, torch.zeros(0)
        self.random = torch.Generator().manual_seed(seed)
        self.tags = len(vocabulary.tags)
        types = sorted({tag[2:] for tag in vocabulary.tags if tag != "O"})
        following = dict(zip(types, types[1:] + types[:1], strict=True))
        flipped = ["O" if tag == "O" else tag[:2] + following[tag[2:]] for tag in vocabulary.tags]
        self.flipped = torch.tensor([vocabulary.tag_ids[tag] for tag in flipped])

    def forward(self, gold: Tensor, predicted: Tensor) -> Tensor:
        """Return the labels (B, L) that are read."""
        self.first = predicted.clamp(min=0)
        if self.kind == "predicted":
            return self.first
        if self.kind == "gold":
            return gold
        if self.kind == "outside":
            return torch.zeros_like(gold)
        if self.kind == "flipped":
            return self.flipped[self.first]
        share = float(self.kind.split()[1]) / 100
        changed = torch.rand(gold.shape, generator=self.random) < share
        return torch.where(changed, torch.randint(self.tags, gold.shape, generator=self.random), self.first)


@dataclass
class Tokens:
    """Counts of tokens over all sentences."""

    changed: int = 0  # labels that are not the first phase's
    followed: int = 0
    wrong: int = 0  # of the first phase
    repaired: int = 0
    right: int = 0  # of the first phase, inside of entities
    spoiled: int = 0

    def add(self, prediction: Prediction, first: Tensor, gold: Tensor, lengths: Tensor) -> None:
        """Count one batch."""
        second = prediction.second_tags
        if second is None:
            return
        inside = torch.arange(gold.shape[1]) < lengths.unsqueeze(1)
        changed, wrong = (prediction.labels != first) & inside, (first != gold) & inside
        right = (first == gold) & (gold > 0) & inside
        for name, mask in (
            ("changed", changed),
            ("followed", changed & (second == prediction.labels)),
            ("wrong", wrong),
            ("repaired", wrong & (second == gold)),
            ("right", right),
            ("spoiled", right & (second != gold)),
        ):
            setattr(self, name, getattr(self, name) + int(mask.sum()))


@dataclass(frozen=True)
class Probed:
    """What came of one intervention; counts of the first phase's entities, of entities, of relations by threshold."""

    labels: str
    gate: str
    first: Counts
    entities: Counts
    relations: Counts
    precision: float | None
    by_threshold: Mapping[float, Counts]
    tokens: Tokens = field(default_factory=Tokens)

    def figures(self) -> dict[str, float | None]:
        """Return its figures in percent; None where there is nothing to count."""
        tokens = self.tokens

        def share(part: int, whole: int) -> float | None:
            return 100 * part / whole if whole else None

        return {
            "first_entity_f1": 100 * self.first.f1,
            "entity_f1": 100 * self.entities.f1,
            "relation_f1": 100 * self.relations.f1,
            "average_precision": None if self.precision is None else 100 * self.precision,
            "followed": share(tokens.followed, tokens.changed),
            "repaired": share(tokens.repaired, tokens.wrong),
            "spoiled": share(tokens.spoiled, tokens.right),
        }

    def lines(self) -> Iterator[dict[str, str]]:
        """Yield its lines of the tidy file; a figure that is not defined is empty."""
        named = {"labels": self.labels, "gate": self.gate}
        for name, value in self.figures().items():
            yield named | {"figure": name, "threshold": "", "value": "" if value is None else f"{value:.4f}"}
        for threshold, counts in self.by_threshold.items():
            for name in ("precision", "recall", "f1"):
                at = {"figure": f"relation_{name}", "threshold": f"{threshold:g}"}
                yield named | at | {"value": f"{100 * getattr(counts, name):.4f}"}


def probe(run: Path, layout: Layout, output: Path | None = None) -> list[Probed]:
    """Probe the model of a run on its test documents, and write all figures as CSV.

    Raises:
        CmanError: the run has no model of two phases that reads labels, or its corpus or features are missing.
    """
    facts = read_json(run / "provenance.json")
    if not isinstance(facts, dict) or not {"corpus", "split"} <= facts.keys():
        raise CmanError(f"{run / 'provenance.json'}: found no corpus and split, wanted those of a run")
    folder = ModelFolder.load(run / "model", trust=True)
    if not isinstance(folder.model, Cman) or folder.model.interaction is None or folder.settings.ner.given:
        raise CmanError(f"{run}: found a model that reads no labels of its own, wanted CMAN with BLA")
    gold = read_documents(layout.documents(facts["corpus"], facts["split"]) / "test.jsonl")
    cache = None
    if folder.encoder is not None and folder.pieces is None:
        cache = FeatureCache(layout.features(facts["corpus"], folder.settings.contextual.encoder))
    encoded = EncodedDocuments(
        [keep_longest(document) for document in gold],
        folder.vocabulary,
        cache,
        folder.settings.rel.anchor,
        pieces=folder.pieces,
    )
    found = probe_model(folder, encoded, gold)
    if output is not None:
        write_csv(output, COLUMNS, (line for each in found for line in each.lines()))
    return found


def probe_model(folder: ModelFolder, encoded: EncodedDocuments, gold: Sequence[Document]) -> list[Probed]:
    """Return all interventions on a model, with its gate and then without it; the model stays as it was."""
    model = folder.model
    assert isinstance(model, Cman) and model.interaction is not None
    source, units = model.labels, (model.interaction.bla1, model.interaction.bla2)
    gates = [unit.gate for unit in units]
    try:
        found = [_probed(folder, model, encoded, gold, kind, "with" if gates[0] is not None else "none")
                 for kind in LABELS]  # fmt: skip
        if gates[0] is not None:
            for unit in units:
                unit.gate = None
            found += [_probed(folder, model, encoded, gold, kind, "without") for kind in LABELS]
    finally:
        model.labels = source
        for unit, gate in zip(units, gates, strict=True):
            unit.gate = gate
    return found


def _probed(
    folder: ModelFolder, model: Cman, encoded: EncodedDocuments, gold: Sequence[Document], kind: str, gate: str
) -> Probed:
    replaced, tokens, ranking = Replaced(kind, folder.vocabulary), Tokens(), Ranking()
    model.labels = replaced  # type: ignore[assignment]
    joint = joint_threshold(model)
    second: dict[int, Document] = {}
    first: dict[int, Document] = {}
    for indices in batches_by_length(encoded.lengths.tolist(), rows=BATCH_SIZE, padded=PADDED_TOKENS):
        with torch.inference_mode():
            batch = encoded.batch(indices)
            prediction = model.predict(batch, LEAST)
        tokens.add(prediction, replaced.first, batch.tags, batch.lengths)
        documents = [gold[index] for index in indices]
        shared = (batch.lengths, folder.vocabulary, model.reported_crf, model.relations.settings, Dropped(), False)
        second |= zip(indices, decode_batch(prediction, documents, *shared, ranking, joint), strict=True)
        said = Prediction(replaced.first, prediction.labels, None, prediction.potentials, prediction.links)
        first |= zip(indices, decode_batch(said, documents, *shared), strict=True)
    if folder.calibration is not None:
        ranking = {name: folder.calibration.scored(relations) for name, relations in ranking.items()}
    decoded = [second[index] for index in range(len(gold))]
    entities, relations = strict_counts(gold, decoded)
    order = ranked(gold, decoded, ranking)
    return Probed(
        kind,
        gate,
        strict_counts(gold, [first[index] for index in range(len(gold))])[0],
        entities,
        relations,
        average_precision(*order),
        {threshold: counts_above(*order, threshold) for threshold in THRESHOLDS},
        tokens,
    )


def table(found: Sequence[Probed]) -> Iterator[str]:
    """Yield the lines of a short table."""
    heads = ("first", "entities", "relations", "AP", "followed", "repaired", "spoiled")
    yield f"{'labels read':14}{'gate':8}" + "".join(f"{head:>10}" for head in heads)
    for each in found:
        figures = ("–" if value is None else f"{value:.2f}" for value in each.figures().values())
        yield f"{each.labels:14}{each.gate:8}" + "".join(f"{figure:>10}" for figure in figures)
