"""Which entity types are taken for which, and what becomes of entities whose span is not right."""

from collections import Counter

from cman.evaluation.confusion import ALONE, OVERLAPPING, confusion
from cman.report.appendix.evidence import ORDER, Evidence
from cman.report.appendix.layout import Cell, Heading, Printed, Row, Section, counted

PRINTED = 2  # experiments; the others stand in the CSV
LETTERS = 60  # of types that have room over the columns; else numbers stand there
APART = (OVERLAPPING, ALONE)

Cells = dict[tuple[str, str], float]


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("confusion", "Confusion of entity types", evidence.corpus)
    tables = {name: _counts(evidence, name) for name in evidence.groups}
    for name, cells in tables.items():
        runs = evidence.groups[name].runs
        for (gold, found), count in sorted(cells.items()):
            section.add(name, f"{gold} as {found}", "count", count, runs, "entities")
    section.text = (
        "Rows are gold types, columns what was predicted on the same span. Missed: a gold entity whose span was not "
        "predicted, though another entity overlaps it, or none does. Spurious: a predicted entity whose span is none "
        "of gold, likewise. Counts over the test set, mean over seeds; other experiments stand in the CSV.",
    )
    wanted = ("cman", "multihead-contextual", *ORDER, *evidence.groups)
    for name in [name for name in dict.fromkeys(wanted) if name in evidence.groups][:PRINTED]:
        whole = len({seed for _, seed in evidence.predicted[name]}) == 1
        section.tables.append(_table(name, evidence.groups[name].first.title, tables[name], whole))
    return section


def _counts(evidence: Evidence, name: str) -> Cells:
    """Return counts over the test set: the sum over folds, the mean over seeds."""
    total = Counter[tuple[str, str]]()
    for found in evidence.predicted[name].values():
        total.update(confusion(found.gold, found.found))
    seeds = len({seed for _, seed in evidence.predicted[name]})
    return {cell: count / seeds for cell, count in total.items()}


def _table(name: str, title: str, cells: Cells, whole: bool) -> Printed:
    types = sorted({kind for cell in cells for kind in cell} - set(APART))

    def text(count: float) -> str:
        return counted(count, whole=whole)

    def row(gold: str, label: str) -> Row:
        counts = [cells.get((gold, kind), 0.0) for kind in types]
        missed = [cells.get((gold, place), 0.0) for place in APART]
        shown = [
            Cell(text(count), strong=kind == gold and count > 0) for kind, count in zip(types, counts, strict=True)
        ]
        if gold in APART:
            return Row(label, (*shown, Cell(" "), Cell(" "), Cell(text(sum(counts)))))
        return Row(label, (*shown, *(Cell(text(count)) for count in missed), Cell(text(sum(counts + missed)))))

    names = {kind: str(number) for number, kind in enumerate(types, start=1)}
    numbered = sum(map(len, types)) > LETTERS
    rows = [row(kind, f"{names[kind]} {kind}" if numbered else kind) for kind in types]
    rows += [row(place, f"Spurious {place}") for place in APART]
    sums = [sum(count for (_, found), count in cells.items() if found == kind) for kind in types]
    rows.append(Row("All predicted", (*(Cell(text(count)) for count in sums), Cell(" "), Cell(" "), Cell(" "))))
    return Printed(
        name=f"confusion-{name}",
        caption=f"{title}: entities by gold type (rows) and predicted type (columns). Bold: right.",
        stub="Gold",
        groups=(Heading("Predicted", len(types)), Heading("Missed", 2), Heading("")),
        heads=(*(names.values() if numbered else types), "overlapping", "none", "all"),
        spread=(False,) * (len(types) + 3),
        rows=tuple(rows),
    )
