"""The runs of one corpus with their documents, and how experiments differ from references on the seeds that both have.

A difference is tested by paired approximate randomisation over test sentences; Holm's correction is made over every
test of a document, whatever its table, corpus and task: one family. It is called distinguishable from zero where its
corrected p is below 0.05, and not otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cman.config.experiments import EXPERIMENTS
from cman.evaluation.bootstrap import difference_intervals
from cman.evaluation.sentences import TASKS, sentence_counts
from cman.evaluation.significance import Pair, holm, randomisation
from cman.report.frame import MACRO, MICRO, STRICT, Summary, fixed, probability, score_frame, signed, summaries, tidy
from cman.report.predictions import Predicted, read_predicted
from cman.report.results import ALL, RANKED, Group, Run
from cman.report.table import Cell
from cman.report.unequal import unequal

Key = tuple[str, int]  # split and seed
Names = tuple[str, str]  # experiment and reference

ALPHA = 0.05
CORPORA = ("conll04", "ade", "drec")  # the paper's order
# Rows of Tables I to III, then of what controls for inputs and sizes.
ORDER = ("cman", "multihead", "multihead-at", "multihead-contextual", "multihead-matched", "cman-static")
SINGULAR = {"entities": "entity F1", "relations": "relation F1", "overall": "overall F1"}


@dataclass(frozen=True)
class Comparison:
    """An experiment beside a reference, over the splits and seeds that both have; by task, in percent.

    Attributes:
        difference: experiment minus reference, with the deviation of the paired differences; nothing where the test
            documents have no gold item of the task.
        p: of approximate randomisation; none of it where the gold documents are not at hand.
        interval: of the difference, over test sentences.
        runs: of both, pair by pair.
        unequal: what the two differ in besides the model, by kind, each with a sentence.
        holm: p after the correction within the document.
        family: how many tests this was over.
    """

    corpus: str
    experiment: Group
    reference: Group
    difference: Mapping[str, Summary]
    runs: tuple[Run, ...]
    unequal: Mapping[str, str]
    p: Mapping[str, float] = field(default_factory=dict)
    interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    holm: Mapping[str, float] = field(default_factory=dict)
    family: int = 0

    @property
    def names(self) -> Names:
        """The experiment and its reference."""
        return self.experiment.first.experiment, self.reference.first.experiment

    @property
    def pairs(self) -> int:
        """How many pairs of runs were compared."""
        return len(self.runs) // 2

    @property
    def seeds(self) -> int:
        """How many seeds both have."""
        return len({run.seed for run in self.runs})

    def figures(self, task: str) -> dict[str, float | None]:
        """Return what files list of a task beside the deviation, by the name of the figure."""
        low, high = self.interval.get(task, (None, None))
        figures = {"difference": self.difference[task].mean, "low": low, "high": high}
        return figures | {"p": self.p.get(task), "p_holm": self.holm.get(task)}

    def clear(self, task: str) -> bool:
        """Whether a difference is distinguishable from zero."""
        return self.holm.get(task, 1.0) < ALPHA

    def cell(self, task: str) -> Cell:
        """Return the difference with its interval, bold where it is clear and not of a single seed."""
        bounds = self.interval.get(task)
        text = ", ".join(fixed(bound, 1) for bound in bounds) if bounds else ""
        strong = self.clear(task) and self.seeds > 1
        return Cell(signed(self.difference[task].mean), interval=text, strong=strong, runs=self.runs)

    def conclusion(self, intended: str = "") -> str:
        """Return what the figures say in words, and what else than the model differs between the two.

        Args:
            intended: what differs on purpose and needs no mention, a key of `unequal`.
        """
        said = {
            task: f"{SINGULAR[task]} {signed(self.difference[task].mean).replace('-', '−')} (Holm {_equals(p)})"
            for task, p in self.holm.items()
        }
        clear = [text for task, text in said.items() if self.clear(task)]
        vague = [text for task, text in said.items() if not self.clear(task)]
        if not said:
            verdict = "nothing to compare, as the test documents have no gold item"
        elif not clear:
            verdict = f"none of the differences is distinguishable from zero: {_list(vague)}"
        elif not vague:
            verdict = f"all differences are distinguishable from zero: {_list(clear)}"
        else:
            verdict = (
                f"distinguishable from zero {'is' if len(clear) == 1 else 'are'} {_list(clear)}; "
                f"not distinguishable {'is' if len(vague) == 1 else 'are'} {_list(vague)}"
            )
        names = f"{self.experiment.first.title} minus {self.reference.first.title}"
        alone = " A single pair of runs shows no spread over seeds." if self.pairs == 1 else ""
        others = [f" {text}" for kind, text in self.unequal.items() if kind != intended]
        return f"({names}): {verdict}.{alone}{''.join(others)}"


def _equals(p: float) -> str:
    text = probability(p)
    return f"p{text}" if text.startswith("<") else f"p={text}"  # in one piece, so that no line ends in it


def _list(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


@dataclass(frozen=True)
class Evidence:
    """What there is about one corpus; `groups` by experiment, the rows of the main tables first.

    `predicted` and `counts` (sentences, 2, 3) are empty where the corpus is not at hand, and nothing is tested then.
    """

    corpus: str
    title: str
    sample: bool
    folder: Path
    groups: Mapping[str, Group]
    scores: pd.DataFrame
    predicted: Mapping[str, Mapping[Key, Predicted]]
    counts: Mapping[str, Mapping[Key, np.ndarray]]
    rounds: int
    seed: int
    comparisons: dict[Names, Comparison] = field(default_factory=dict)
    verdicts: dict[Names, str] = field(default_factory=dict)  # of the ledger on differences that are claims

    @property
    def family(self) -> int:
        """Over how many tests of the document each p is corrected."""
        return max((comparison.family for comparison in self.comparisons.values()), default=0)

    def strict(self, experiment: str) -> dict[tuple[str, str], Summary]:
        """Return strict micro and macro F1 of an experiment by (task, figure)."""
        rows = self.scores[(self.scores.experiment == experiment) & (self.scores.matching == STRICT)]
        return summaries(rows[rows.figure.isin((MICRO, MACRO))], ["task", "figure"])

    def ranked(self, experiment: str) -> dict[str, Summary]:
        """Return what the rankings of an experiment's relations give, by `RANKED`; nothing unless all runs have it."""
        found = {}
        for name in RANKED:
            rows = self.scores[(self.scores.experiment == experiment) & (self.scores.figure == name)]
            runs = tuple(rows.run)
            found[name] = Summary(runs=runs) if rows.value.isna().any() else summaries(rows, ["figure"])[(name,)]
        return found

    def frame(self, measure: Any) -> pd.DataFrame:
        """Return the tidy table of what a function measures of each run with its documents."""
        return tidy((found.run, measure(found)) for found in self.documents())

    def documents(self) -> Iterable[Predicted]:
        """Return all runs with their documents, in the order of the groups."""
        return (found for members in self.predicted.values() for found in members.values())

    def compare(self, names: Names) -> Comparison | None:
        """Return how an experiment differs from a reference; None where they have no split and seed in common."""
        if not all(name in self.groups for name in names):
            return None
        one, other = (self.groups[name] for name in names)
        first, second = ({run.key: run for run in group.runs} for group in (one, other))
        keys = sorted(first.keys() & second.keys())
        if not keys:
            return None
        runs = tuple(run for key in keys for run in (first[key], second[key]))
        strict = self.scores[(self.scores.matching == STRICT) & (self.scores.figure == MICRO)]
        values = strict.set_index(["experiment", "split", "seed", "task"])["value"]
        apart = tidy(
            (first[key], [(task, STRICT, ALL, MICRO, values[names[0], *key, task] - values[names[1], *key, task])
                          for task in TASKS])
            for key in keys
        )  # fmt: skip
        difference = {task: summary for (task,), summary in summaries(apart, ["task"]).items()}
        found = Comparison(self.corpus, one, other, difference, runs, unequal(one.first, other.first))
        if not self.counts:
            return found
        pairs: dict[str, list[Pair]] = {}
        for key in keys:
            pairs.setdefault(key[0], []).append((self.counts[names[0]][key], self.counts[names[1]][key]))
        p = randomisation(pairs, self.rounds, self.seed).p
        bounds = difference_intervals(pairs, self.rounds, self.seed)
        made = [task for task in TASKS if difference[task].mean is not None]
        return replace(
            found,
            p={task: p[place] for place, task in enumerate(TASKS) if task in made},
            interval={task: bounds[place] for place, task in enumerate(TASKS) if task in made},
        )


def read_evidence(
    groups: Iterable[Group], corpora: Path, rounds: int, seed: int, needed: bool = True
) -> list[Evidence]:
    """Return the evidence about each corpus among the groups: real ones before samples, the paper's in its order.

    Args:
        needed: whether the prepared corpora must be there; else a corpus that is not has no documents.

    Raises:
        CmanError: runs do not match their predictions or the prepared corpus.
    """
    corpus: dict[tuple[bool, int, str], list[Group]] = {}
    for group in groups:
        base = group.first.corpus.removesuffix("-sample")
        place = CORPORA.index(base) if base in CORPORA else len(CORPORA)
        corpus.setdefault((group.first.sample, place, group.first.corpus), []).append(group)
    found = []
    for (_, _, name), members in sorted(corpus.items(), key=lambda item: item[0]):
        runs = [run for group in members for run in group.runs]
        present = all((corpora / name / run.split / "test.jsonl").is_file() for run in runs)
        predicted = read_predicted(runs, corpora) if present or needed else []
        found.append(_evidence(members, predicted, corpora, rounds, seed))
    return found


def _evidence(
    groups: Sequence[Group], predicted: Sequence[Predicted], corpora: Path, rounds: int, seed: int
) -> Evidence:
    first, by_name = groups[0].first, {group.first.experiment: group for group in groups}
    known = list(dict.fromkeys((*ORDER, *EXPERIMENTS)))
    names = [name for name in known if name in by_name] + sorted(by_name.keys() - set(known))
    documents = {name: {p.run.key: p for p in predicted if p.run.experiment == name} for name in names}
    counts = {name: {key: sentence_counts(p.gold, p.found) for key, p in documents[name].items()} for name in names}
    return Evidence(
        corpus=first.corpus,
        title=first.corpus_title,
        sample=first.sample,
        folder=corpora / first.corpus,
        groups={name: by_name[name] for name in names},
        scores=score_frame(run for name in names for run in by_name[name].runs),
        predicted=documents if predicted else {},
        counts=counts if predicted else {},
        rounds=rounds,
        seed=seed,
    )


def compare_all(evidence: Iterable[tuple[Evidence, Iterable[Names]]]) -> None:
    """Make the comparisons of a document and correct their p over all of them, as `comparisons` of each corpus."""
    made = [
        (found, comparison)
        for found, pairs in evidence
        for names in dict.fromkeys(pairs)
        if (comparison := found.compare(names)) is not None
    ]
    tests = [(number, task) for number, (_, comparison) in enumerate(made) for task in comparison.p]
    corrected = dict(zip(tests, holm([made[number][1].p[task] for number, task in tests]), strict=True))
    for number, (found, comparison) in enumerate(made):
        adjusted = {task: corrected[number, task] for task in comparison.p}
        found.comparisons[comparison.names] = replace(comparison, holm=adjusted, family=len(tests))


def on_a_share(experiment: str) -> bool:
    """Return whether an experiment is one of Figure 7, which printed tables leave to the CSV: there are many."""
    return "@" in experiment
