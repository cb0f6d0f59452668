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
Of several runs of an experiment, such as those of all folds, each figure is the mean, with its deviation over the runs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import Tensor, nn

from cman.corpora.document import Document, read_documents
from cman.corpora.overlap import keep_longest
from cman.corpora.ranking import LEAST, Ranking
from cman.errors import CmanError, UsageError
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
COLUMNS = ("experiment", "labels", "gate", "figure", "threshold", "mean", "sd", "runs")

What = tuple[str, str, str, str, str]  # experiment, labels, gate, figure, threshold


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

    def values(self) -> Iterator[tuple[str, str, float | None]]:
        """Yield its figures and the curves of relations: name, threshold or nothing, value in percent."""
        for name, value in self.figures().items():
            yield name, "", value
        for threshold, counts in self.by_threshold.items():
            for name in ("precision", "recall", "f1"):
                yield f"relation_{name}", f"{threshold:g}", 100 * getattr(counts, name)


@dataclass(frozen=True)
class Summary:
    """A figure over the runs in which it is defined; no mean where it is in none, no deviation of fewer than two."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """The mean over runs."""
        return fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over runs."""
        return stdev(self.values) if len(self.values) > 1 else None


def probe(runs: Sequence[Path], layout: Layout, output: Path | None = None) -> dict[What, Summary]:
    """Probe the models of runs on their test documents, and write all figures as CSV; by experiment, in their order.

    Raises:
        UsageError: runs of two corpora, over which nothing is a mean.
        CmanError: a run has no model of two phases that reads labels, or its corpus or features are missing.
    """
    facts = [_facts(run) for run in runs]
    if len(corpora := sorted({each["corpus"] for each in facts})) > 1:
        raise UsageError(f"runs: found those of {' and '.join(corpora)}, wanted those of one corpus")
    values: dict[What, list[float]] = defaultdict(list)
    for run, known in zip(runs, facts, strict=True):
        for each in probe_run(run, known, layout):
            for figure, threshold, value in each.values():
                place = known["experiment"], each.labels, each.gate, figure, threshold
                values[place] += [] if value is None else [value]
    summaries = {what: Summary(tuple(found)) for what, found in values.items()}
    if output is not None:
        lines = ((*what, each.mean, each.sd, len(each.values)) for what, each in summaries.items())
        write_csv(output, COLUMNS, (dict(zip(COLUMNS, line, strict=True)) for line in lines))
    return summaries


def _facts(run: Path) -> dict[str, str]:
    facts = read_json(run / "provenance.json")
    if not isinstance(facts, dict) or not {"corpus", "split", "experiment"} <= facts.keys():
        raise CmanError(f"{run / 'provenance.json'}: found no corpus, split and experiment, wanted those of a run")
    return facts


def probe_run(run: Path, facts: Mapping[str, str], layout: Layout) -> list[Probed]:
    """Return all interventions on a run's model; `facts` are of its provenance, see `probe`."""
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
    return probe_model(folder, encoded, gold)


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


def table(summaries: Mapping[What, Summary]) -> Iterator[str]:
    """Yield the lines of a short table; deviations stand behind the means of several runs."""
    heads = ("first", "entities", "relations", "AP", "followed", "repaired", "spoiled")
    several = any(each.sd is not None for each in summaries.values())
    width = 15 if several else 10
    names = list(dict.fromkeys(experiment for experiment, *_ in summaries))
    for name in names:
        if len(names) > 1:
            yield name
        yield f"{'labels read':14}{'gate':8}" + "".join(f"{head:>{width}}" for head in heads)
        lines: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (experiment, labels, gate, _, threshold), each in summaries.items():
            if experiment == name and not threshold:
                spread = "" if each.sd is None else f" ± {each.sd:.2f}"
                lines[labels, gate].append("–" if each.mean is None else f"{each.mean:.2f}{spread}")
        for (labels, gate), figures in lines.items():
            yield f"{labels:14}{gate:8}" + "".join(f"{figure:>{width}}" for figure in figures)
