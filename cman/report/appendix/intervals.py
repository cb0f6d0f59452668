"""Bootstrap intervals of every experiment's F1 over test sentences, beside the deviation over seeds."""

from cman.evaluation.bootstrap import intervals
from cman.evaluation.sentences import TASKS
from cman.report.appendix.evidence import Evidence, on_a_share
from cman.report.appendix.layout import Cell, Heading, Printed, Row, Section, percent


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("intervals", "Confidence intervals over test sentences", evidence.corpus)
    rows = []
    for name, group in evidence.groups.items():
        splits: dict[str, list] = {}
        for (split, _), counts in sorted(evidence.counts[name].items(), key=lambda item: item[0]):
            splits.setdefault(split, []).append(counts)
        cells: list[Cell] = []
        bounds = intervals(splits, evidence.rounds, evidence.seed)
        for task, summary, (low, high) in zip(
            TASKS, (group.entity, group.relation, group.overall), bounds, strict=True
        ):
            section.spread(name, "F1", "f1", summary, group.runs, task)
            section.add(name, "F1", "low", low, group.runs, task)
            section.add(name, "F1", "high", high, group.runs, task)
            cells += [Cell(percent(summary.mean), percent(summary.sd)), Cell(percent(low)), Cell(percent(high))]
        if not on_a_share(name):
            rows.append(Row(group.first.title, (*cells, Cell(str(len(group.runs))))))
    section.text = (
        f"Percentile bootstrap (Efron and Tibshirani 1993): {evidence.rounds} times the test sentences are drawn again "
        "with replacement, the same draw for each seed, and the mean over runs of F1 is computed anew. The interval "
        "shows what a figure owes to the test sentences, the standard deviation what it owes to the seed.",
    )
    section.tables.append(
        Printed(
            name="intervals",
            caption="Strict micro F1 in percent: mean and sample standard deviation over seeds, and the bounds of the "
            "95 % interval over test sentences; n: runs.",
            stub="Experiment",
            groups=(*(Heading(task.capitalize(), 3) for task in TASKS), Heading("")),
            heads=("F1", "low", "high") * len(TASKS) + ("n",),
            spread=(True, False, False) * len(TASKS) + (False,),
            rows=tuple(rows),
        )
    )
    return section
