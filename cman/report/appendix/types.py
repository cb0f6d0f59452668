"""Strict scores of each entity and relation type, of the full model and of the baselines."""

from collections.abc import Callable

from cman.report.appendix.evidence import ORDER, Evidence, per_test_set, summarised
from cman.report.appendix.layout import Cell, Note, Printed, Row, Section, percent
from cman.report.appendix.scores import AVERAGED, of_type
from cman.report.results import Counts, Level, Run

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
    section = Section("types", "Scores of each type", evidence.corpus)
    groups = {name: evidence.groups[name] for name in ORDER if name in evidence.groups}
    if not groups:
        section.absent = f"Nothing ran of {', '.join(ORDER)}."
        return section
    first, rows = next(iter(groups.values())), []
    for task in ("entities", "relations"):
        rows.append(Row(task.capitalize()))
        runs = [run for group in groups.values() for run in group.runs]
        for kind in sorted({kind for run in runs for kind in _level(run, task).types}):
            # All runs of a split have the same gold annotation, so one experiment speaks for all.
            gold = per_test_set(first, _gold(task, kind))
            section.add("", kind, "gold", gold, first.runs, task)
            cells = [Cell(f"{gold:.0f}")]
            for name, group in groups.items():
                for figure in AVERAGED:
                    summary = summarised(group, of_type(group, task, kind, figure))
                    section.spread(name, kind, figure, summary, group.runs, task)
                    if figure == "f1":
                        cells.append(Cell(percent(summary.mean), percent(summary.sd)))
            rows.append(Row(kind, tuple(cells)))
    section.tables.append(
        Printed(
            name="types",
            caption="Strict F1 in percent of each type, mean and sample standard deviation over seeds; gold: annotated "
            "items of the test set. Precision and recall stand in the CSV.",
            stub="Type",
            groups=(),
            heads=("gold", *(NAMES[name][0] for name in groups)),
            spread=(False, *(True for _ in groups)),
            rows=tuple(rows),
            notes=(Note(" ".join(NAMES[name][1] for name in groups)),),
        )
    )
    return section


def _level(run: Run, task: str) -> Level:
    return (run.entities if task == "entities" else run.relations)["strict"]


def _gold(task: str, kind: str) -> Callable[[Run], int]:
    return lambda run: _level(run, task).types.get(kind, Counts(0, 0, 0)).gold
