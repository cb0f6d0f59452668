"""The runs of one corpus with what sections read of them: groups, documents, counts of sentences, comparisons.

A figure of an experiment is the mean over its seeds (with folds: mean over folds within a seed first), its deviation
the sample standard deviation over seeds, or over folds where there is one seed alone, as everywhere in the tables.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cman.config.experiments import EXPERIMENTS
from cman.evaluation.sentences import f1_of, sentence_counts
from cman.evaluation.significance import Pair, randomisation
from cman.files import read_json
from cman.report.predictions import Predicted, read_predicted
from cman.report.results import Group, Run, Summary, group_runs, summarise

Key = tuple[str, int]  # split and seed

# Rows of Tables I to III, then of what controls for inputs and sizes.
ORDER = ("cman", "multihead", "multihead-at", "multihead-contextual", "multihead-matched", "cman-static")
CORPORA = ("conll04", "ade", "drec")  # the paper's order
TRAINING = ("at", "dropout", "training")  # settings of training, which a comparison of models should not differ in
SIZES = ("char", "word", "label", "lstm", "rel", "crf", "uw")  # what else may differ between two architectures


@dataclass(frozen=True)
class Comparison:
    """An experiment beside a reference, over the splits and seeds that both have; differences in percent.

    Attributes:
        difference: experiment minus reference for entities, relations and overall, with the deviation of the paired
            differences.
        p: of approximate randomisation, for the same three.
        runs: of both, pair by pair.
        seeds: how many seeds both have.
        unequal: what the two differ in besides the model: "inputs", "protocol", "division", "training" or, between two
            architectures, "sizes"; each with a sentence.
    """

    experiment: Group
    reference: Group
    difference: tuple[Summary, ...]
    p: tuple[float, ...]
    runs: tuple[Run, ...]
    seeds: int
    unequal: Mapping[str, str]

    @property
    def pairs(self) -> int:
        """How many pairs of runs were compared."""
        return len(self.runs) // 2


@dataclass(frozen=True)
class Evidence:
    """What there is about one corpus; `groups` by experiment, the rows of the main tables first."""

    corpus: str
    title: str
    sample: bool
    folder: Path
    groups: Mapping[str, Group]
    predicted: Mapping[str, Mapping[Key, Predicted]]
    counts: Mapping[str, Mapping[Key, np.ndarray]]
    rounds: int
    seed: int
    compared: dict[tuple[str, str], Comparison | None] = field(default_factory=dict)

    def comparison(self, experiment: str, reference: str) -> Comparison | None:
        """Return how an experiment differs from a reference; None where they have no split and seed in common."""
        pair = experiment, reference
        if pair not in self.compared:
            self.compared[pair] = self._compare(pair)
        return self.compared[pair]

    def _compare(self, pair: tuple[str, str]) -> Comparison | None:
        experiment, reference = pair
        first, second = self.counts.get(experiment, {}), self.counts.get(reference, {})
        keys = sorted(first.keys() & second.keys())
        if not keys:
            return None
        pairs: dict[str, list[Pair]] = {}
        for key in keys:
            pairs.setdefault(key[0], []).append((first[key], second[key]))
        tested = randomisation(pairs, self.rounds, self.seed)
        apart = {key: f1_of(first[key].sum(axis=0)) - f1_of(second[key].sum(axis=0)) for key in keys}
        one, other = self.groups[experiment], self.groups[reference]
        runs = [self.predicted[name][key].run for key in keys for name in pair]
        return Comparison(
            experiment=one,
            reference=other,
            difference=tuple(over_seeds({key: float(apart[key][task]) for key in keys}) for task in range(3)),
            p=tested.p,
            runs=tuple(runs),
            seeds=len({seed for _, seed in keys}),
            unequal=_unequal(one.first, other.first),
        )


def on_a_share(experiment: str) -> bool:
    """Return whether an experiment is one of Figure 7, which printed tables leave to the CSV: there are many."""
    return "@" in experiment


def over_seeds(values: Mapping[Key, float]) -> Summary:
    """Return mean and deviation of a value of each split and seed: over seeds, or over the folds of a single seed.

    Seeds may have other folds here, where only some of the runs have the value; the mean is then one over seeds still.
    """
    seeds: dict[int, list[float]] = {}
    for (_, seed), value in sorted(values.items()):
        seeds.setdefault(seed, []).append(value)
    if len(seeds) == 1:
        return summarise(next(iter(seeds.values())))
    return summarise([statistics.mean(members) for members in seeds.values()])


def summarised(group: Group, figure: Callable[[Run], float]) -> Summary:
    """Return mean and deviation of a figure of a group's runs."""
    return over_seeds({(run.split, run.seed): figure(run) for run in group.runs})


def per_test_set(group: Group, figure: Callable[[Run], float]) -> float:
    """Return a count over the whole test set: the sum over folds, the mean over seeds."""
    return sum(figure(run) for run in group.runs) / len({run.seed for run in group.runs})


def _unequal(one: Run, other: Run) -> dict[str, str]:
    found = {}
    for name in ("inputs_title", "protocol", "division"):
        here, there = getattr(one, name), getattr(other, name)
        if here != there:
            kind = name.removesuffix("_title")
            found[kind] = f"Other {kind}: {here or 'none'}; of the reference: {there or 'none'}."
    groups: dict[str, tuple[str, ...]] = {"training": TRAINING}
    if _settings(one).get("architecture") != _settings(other).get("architecture"):
        groups["sizes"] = SIZES
    opening = {"training": "Trained otherwise", "sizes": "Built otherwise"}
    for kind, parts in groups.items():
        here, there = _flat(one, parts), _flat(other, parts)
        keys = [key for key in sorted(here.keys() | there.keys()) if here.get(key) != there.get(key)]
        if keys:
            said = [f"{key} {_spelt(here.get(key))}, of the reference {_spelt(there.get(key))}" for key in keys]
            found[kind] = f"{opening[kind]}: {'; '.join(said)}."
    return found


def _settings(run: Run) -> dict[str, Any]:
    """Return a run's settings; none for a run that recorded none."""
    settings: dict[str, Any] = read_json(run.folder / "provenance.json").get("settings", {})
    return settings


def _flat(run: Run, parts: Sequence[str]) -> dict[str, Any]:
    settings = _settings(run)
    return {f"{part}.{key}": value for part in parts for key, value in settings.get(part, {}).items()}


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def read_evidence(runs: Iterable[Run], corpora: Path, rounds: int, seed: int) -> list[Evidence]:
    """Return the evidence about each corpus among the runs: real ones before samples, the paper's in its order.


    Raises:
        CmanError: runs do not belong together, or do not match their predictions or the prepared corpus.
    """
    groups: dict[tuple[bool, int, str], list[Group]] = {}
    for group in group_runs(runs):
        first = group.first
        base = first.corpus.removesuffix("-sample")
        place = CORPORA.index(base) if base in CORPORA else len(CORPORA)
        groups.setdefault((first.sample, place, first.corpus), []).append(group)
    return [
        _evidence(members, corpora, rounds, seed) for _, members in sorted(groups.items(), key=lambda item: item[0])
    ]


def _evidence(groups: Sequence[Group], corpora: Path, rounds: int, seed: int) -> Evidence:
    first = groups[0].first
    names = {group.first.experiment: group for group in groups}
    known = list(dict.fromkeys((*ORDER, *EXPERIMENTS)))
    ordered = [name for name in known if name in names] + sorted(names.keys() - set(known))
    predicted: dict[str, dict[Key, Predicted]] = {name: {} for name in ordered}
    counts: dict[str, dict[Key, np.ndarray]] = {name: {} for name in ordered}
    for found in read_predicted((run for group in groups for run in group.runs), corpora):
        name, key = found.run.experiment, (found.run.split, found.run.seed)
        predicted[name][key] = found
        counts[name][key] = sentence_counts(found.gold, found.found)
    return Evidence(
        corpus=first.corpus,
        title=first.corpus_title,
        sample=first.sample,
        folder=corpora / first.corpus,
        groups={name: names[name] for name in ordered},
        predicted=predicted,
        counts=counts,
        rounds=rounds,
        seed=seed,
    )
