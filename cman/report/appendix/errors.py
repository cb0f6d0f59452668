"""Where relation errors come from, of every experiment: missed relations, and spurious ones."""

from collections import Counter

from cman.evaluation.errors import MISSED, SPURIOUS, relation_errors
from cman.report.appendix.evidence import Evidence, on_a_share
from cman.report.appendix.layout import Cell, Printed, Row, Section, counted

HEADS = {
    "missed entity": "no entity",
    "spurious entity": "no entity",
    "wrong boundary": "boundary",
    "wrong type": "type",
    "wrong label": "label",
    "reversed direction": "direction",
    "missed pair": "pair",
    "spurious pair": "pair",
}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("errors", "Where relation errors come from", evidence.corpus)
    section.text = (
        "Each missed gold relation stands in the first class that fits, from left to right: an argument overlaps no "
        "predicted entity (no entity); an argument's span was not predicted (boundary); it was, with another type "
        "(type); both arguments are right, with a wrong relation of another label between them (label), or with one in "
        "the other direction only (direction), or with none (pair). Spurious relations are put into the mirrored "
        "classes by what is annotated. The classes add up to the false negatives and false positives of strict scores.",
    )
    kinds: dict[str, tuple[tuple[str, ...], list[Row]]] = {"missed": (MISSED, []), "spurious": (SPURIOUS, [])}
    whole = all(len({run.seed for run in group.runs}) == 1 for group in evidence.groups.values())
    for name, group in evidence.groups.items():
        seeds = len({run.seed for run in group.runs})
        totals = {kind: Counter[str]() for kind in kinds}
        for found in evidence.predicted[name].values():
            for kind, counts in zip(kinds, relation_errors(found.gold, found.found), strict=True):
                totals[kind].update(counts)
        for kind, (classes, rows) in kinds.items():
            means = {label: totals[kind][label] / seeds for label in classes}
            means["all"] = sum(means.values())
            for label, count in means.items():
                section.add(name, label, kind, count, group.runs, "relations")
            cells = [Cell(counted(count, whole=whole)) for count in means.values()]
            if not on_a_share(name):
                rows.append(Row(group.first.title, tuple(cells)))
    for kind, (classes, rows) in kinds.items():
        section.tables.append(
            Printed(
                name=f"errors-{kind}",
                caption=f"{kind.capitalize()} relations of the test set by class, mean over seeds.",
                stub="Experiment",
                groups=(),
                heads=(*(HEADS[label] for label in classes), "all"),
                spread=(False,) * (len(classes) + 1),
                rows=tuple(rows),
            )
        )
    return section
