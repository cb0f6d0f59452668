"""Scores without the test sentences that stand in train or dev as well, beside the scores with them.

Sentences are the same when their lower-case letters and digits are (`cman.corpora.statistics.normalised`), whatever
their tokenisation and annotation. CoNLL04 has 24 such test sentences.
"""

import numpy as np

from cman.corpora.document import read_documents
from cman.corpora.statistics import normalised
from cman.evaluation.sentences import TASKS, f1_of
from cman.report.appendix.evidence import Evidence, on_a_share, over_seeds
from cman.report.appendix.layout import Cell, Heading, Printed, Row, Section, percent, signed


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("repeated", "Without the test sentences that recur in train or dev", evidence.corpus)
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
    rows = []
    for name, group in evidence.groups.items():
        cells = []
        for place, task in enumerate(TASKS):
            counts = evidence.counts[name]
            whole = {key: float(f1_of(matrix.sum(axis=0))[place]) for key, matrix in counts.items()}
            part = {key: float(f1_of(matrix[new[key[0]]].sum(axis=0))[place]) for key, matrix in counts.items()}
            change = over_seeds({key: part[key] - whole[key] for key in counts})
            for figure, summary in (("f1", over_seeds(whole)), ("f1_without", over_seeds(part)), ("change", change)):
                section.spread(name, "F1", figure, summary, group.runs, task)
            cells += [
                Cell(percent(over_seeds(whole).mean)),
                Cell(percent(over_seeds(part).mean)),
                Cell(signed(change.mean)),
            ]
        if not on_a_share(name):
            rows.append(Row(group.first.title, tuple(cells)))
    section.tables.append(
        Printed(
            name="repeated",
            caption=f"Strict micro F1 in percent on all {size} test sentences and on the {left} that do not recur, "
            "mean over runs, with the change in points.",
            stub="Experiment",
            groups=tuple(Heading(task.capitalize(), 3) for task in TASKS),
            heads=("all", "new", "change") * len(TASKS),
            spread=(False,) * (3 * len(TASKS)),
            rows=tuple(rows),
        )
    )
    return section


def _new_sentences(evidence: Evidence) -> dict[str, np.ndarray]:
    """Return for each split among the runs which of its test sentences recur neither in train nor in dev."""
    splits: dict[str, np.ndarray] = {}
    for members in evidence.predicted.values():
        for (split, _), found in members.items():
            if split in splits:
                continue
            known = {
                normalised(document)
                for part in ("train", "dev")
                for document in read_documents(evidence.folder / split / f"{part}.jsonl")
            }
            splits[split] = np.array([normalised(document) not in known for document in found.gold])
    return dict(sorted(splits.items()))
