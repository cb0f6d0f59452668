"""Bootstrap intervals of every experiment's F1 over test sentences, beside the deviation over seeds."""

import numpy as np

from cman.evaluation.bootstrap import intervals
from cman.evaluation.sentences import TASKS
from cman.report.appendix.section import Section, grouped
from cman.report.evidence import Evidence
from cman.report.frame import MICRO, percent
from cman.report.table import Cell, Column, measured


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("intervals", "Confidence intervals over test sentences", evidence)
    cells: dict[str, list[Cell]] = {}
    for name, group in evidence.groups.items():
        splits: dict[str, list[np.ndarray]] = {}
        for (split, _), counts in sorted(evidence.counts[name].items(), key=lambda item: item[0]):
            splits.setdefault(split, []).append(counts)
        bounds = intervals(splits, evidence.rounds, evidence.seed)
        strict, cells[name] = evidence.strict(name), []
        for task, (low, high) in zip(TASKS, bounds, strict=True):
            summary = strict[task, MICRO]
            limits = {"low": low, "high": high} if summary.mean is not None else {"low": None, "high": None}
            values = {"f1": summary.mean, "f1_sd": summary.sd, **limits}
            for figure, value in values.items():
                section.add(name, "F1", figure, value, group.runs, task)
            cells[name] += [measured(summary), *(Cell(percent(value)) for value in limits.values())]
        cells[name].append(Cell(str(len(group.runs))))
    section.text = (
        f"Percentile bootstrap (Efron and Tibshirani 1993): {evidence.rounds} times the test sentences are drawn again "
        "with replacement, the same draw for each seed, and the mean over runs of F1 is computed anew. The interval "
        "shows what a figure owes to the test sentences, the standard deviation what it owes to the seed.",
    )
    section.table(
        "intervals",
        "Strict micro F1 in percent: mean and sample standard deviation over seeds, and the bounds of the 95 % "
        "interval over test sentences; n: runs",
        [*grouped(("F1", "low", "high"), map(str.capitalize, TASKS)), Column("n")],
        section.rows(cells),
    )
    return section
