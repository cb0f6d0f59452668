"""Strict scores of each entity and relation type, of the full model and of the baselines."""

from collections.abc import Iterator

from cman.evaluation.counts import Counts
from cman.report.appendix.section import Section
from cman.report.evidence import ORDER, Evidence
from cman.report.frame import FIGURES, STRICT, Measured, summaries, tidy
from cman.report.results import ALL, COUNTED, Run
from cman.report.table import Cell, Column, Row, measured

NAMES = {  # titles are too long for heads of columns
    "cman": ("CMAN", ""),
    "multihead": ("MH", "MH: multi-head."),
    "multihead-at": ("MH-AT", "MH-AT: multi-head with adversarial training."),
    "multihead-contextual": ("MH-AT-C", "MH-AT-C: the same with contextual inputs."),
    "multihead-matched": ("MH-M", "MH-M: multi-head with CMAN's inputs and sizes."),
    "cman-static": ("CMAN-S", "CMAN-S: CMAN without contextual inputs."),
}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("types", "Scores of each type", evidence)
    groups = {name: evidence.groups[name] for name in ORDER if name in evidence.groups}
    if not groups:
        section.absent = f"Nothing ran of {', '.join(ORDER)}."
        return section
    runs = [run for group in groups.values() for run in group.runs]
    types = {task: sorted({kind for run in runs for kind in run.scores[task][STRICT]} - {ALL}) for task in COUNTED}

    def measure(run: Run) -> Iterator[Measured]:
        for task in COUNTED:
            for kind in types[task]:
                counts = run.scores[task][STRICT].get(kind, Counts())  # a type that the run has never met
                yield task, STRICT, kind, "gold", counts.gold
                for figure in FIGURES:
                    yield task, STRICT, kind, figure, 100 * getattr(counts, figure)

    frame = tidy((run, measure(run)) for run in runs)
    first = next(iter(groups))  # all runs of a split have the same gold annotation, so one experiment speaks for all
    gold = summaries(frame[(frame.figure == "gold") & (frame.experiment == first)], ["task", "type"], total=True)
    for (task, kind), summary in gold.items():
        section.add("", kind, "gold", summary.mean, groups[first].runs, task)
    found = section.summarise(frame[frame.figure != "gold"])
    rows = []
    for task in COUNTED:
        rows.append(Row(task.capitalize()))
        for kind in types[task]:
            figures = (measured(found[name, task, kind, "f1"]) for name in groups)
            rows.append(Row(kind, (Cell(f"{gold[task, kind].mean:.0f}"), *figures)))
    table = section.table(
        "types",
        "Strict F1 in percent of each type, mean and sample standard deviation over seeds; gold: annotated items of "
        "the test set. Precision and recall stand in the CSV",
        [Column("gold"), *(Column(NAMES[name][0]) for name in groups)],
        rows,
        stub="Type",
    )
    table.remark(" ".join(NAMES[name][1] for name in groups if NAMES[name][1]))
    return section
