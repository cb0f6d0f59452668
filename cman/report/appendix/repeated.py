"""Scores without the test sentences that stand in train or dev as well, beside the scores with them.

Sentences are the same when their lower-case letters and digits are (`cman.corpora.statistics.normalised`), whatever
their tokenisation and annotation. CoNLL04 has 24 such test sentences.
"""

from collections.abc import Iterator

import numpy as np

from cman.corpora.document import read_documents
from cman.corpora.statistics import normalised
from cman.evaluation.sentences import TASKS, f1_of
from cman.report.appendix.section import Section, change, grouped, mean
from cman.report.evidence import Evidence
from cman.report.frame import STRICT, Measured
from cman.report.predictions import Predicted

FIGURES = {"all": "f1", "new": "f1_without", "change": "change"}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("repeated", "Without the test sentences that recur in train or dev", evidence)
    new = _new_sentences(evidence)
    size, left = sum(len(mask) for mask in new.values()), sum(int(mask.sum()) for mask in new.values())
    runs = [run for group in evidence.groups.values() for run in group.runs]
    section.add("", "test sentences", "all", size, runs)
    section.add("", "test sentences", "left", left, runs)
    where = "the test folds that ran" if set(new) != {"main"} else "the test split"
    if left == size:
        section.text = (f"None of the {size} sentences of {where} stands in train or dev: nothing is left out.",)
        return section
    section.text = (
        f"Of the {size} sentences of {where}, {size - left} stand in train or dev as well, compared by their "
        f"lower-case letters and digits. That leaves {left}.",
    )

    def measure(found: Predicted) -> Iterator[Measured]:
        counts = evidence.counts[found.run.experiment][found.run.key]
        totals = counts.sum(axis=0)
        whole, part = f1_of(totals), f1_of(counts[new[found.run.split]].sum(axis=0))
        for place, task in enumerate(TASKS):
            values = (float(whole[place]), float(part[place]), float(part[place] - whole[place]))
            defined = totals[:, 2].all() if task == "overall" else totals[place, 2]
            for figure, value in zip(FIGURES.values(), values, strict=True):
                yield task, STRICT, "F1", figure, value if defined else None

    found = section.summarise(evidence.frame(measure))
    cells = {
        name: [
            (change if head == "change" else mean)(found[name, task, "F1", figure])
            for task in TASKS
            for head, figure in FIGURES.items()
        ]
        for name in evidence.groups
    }
    section.table(
        "repeated",
        f"Strict micro F1 in percent on all {size} test sentences and on the {left} that do not recur, mean over runs, "
        "with the change in points",
        grouped(tuple(FIGURES), map(str.capitalize, TASKS)),
        section.rows(cells),
    )
    return section


def _new_sentences(evidence: Evidence) -> dict[str, np.ndarray]:
    """Return for each split among the runs which of its test sentences recur neither in train nor in dev."""
    splits: dict[str, np.ndarray] = {}
    for found in evidence.documents():
        split = found.run.split
        if split not in splits:
            files = [evidence.folder / split / f"{part}.jsonl" for part in ("train", "dev")]
            known = {normalised(document) for file in files for document in read_documents(file)}
            splits[split] = np.array([normalised(document) not in known for document in found.gold])
    return dict(sorted(splits.items()))
