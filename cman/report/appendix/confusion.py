"""Which entity types are taken for which, and what becomes of entities whose span is not right."""

from collections import Counter

from cman.evaluation.confusion import ALONE, OVERLAPPING, confusion
from cman.report.appendix.section import BLANK, Section, counted
from cman.report.evidence import ORDER, Evidence
from cman.report.frame import summaries, tidy
from cman.report.table import Cell, Column, Row

PRINTED = 2  # experiments; the others stand in the CSV
LETTERS, TYPES = 60, 14  # of types that have room over the columns, else numbers stand there; and how many have it
APART = (OVERLAPPING, ALONE)

Counts = dict[tuple[str, str], float]


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("confusion", "Confusion of entity types", evidence)
    section.text = (
        "Rows are gold types, columns what was predicted on the same span. Missed: a gold entity whose span was not "
        "predicted, though another entity overlaps it, or none does. Spurious: a predicted entity whose span is none "
        "of gold, likewise. Counts over the test set, mean over seeds; other experiments stand in the CSV.",
    )
    tables = {}
    for name, members in evidence.predicted.items():
        counts = {key: confusion(found.gold, found.found) for key, found in members.items()}
        seen = sorted({pair for each in counts.values() for pair in each})
        # The two types of a pair stand in the columns of matching and type.
        frame = tidy(
            (members[key].run, [("entities", *pair, "count", each[pair]) for pair in seen])
            for key, each in counts.items()
        )
        means = summaries(frame, ["matching", "type"], total=True)
        tables[name] = {pair: summary.mean or 0.0 for pair, summary in means.items()}
        for (gold, found), count in tables[name].items():
            section.add(name, f"{gold} as {found}", "count", count, evidence.groups[name].runs, "entities")
    wanted = dict.fromkeys(("cman", "multihead-contextual", *ORDER, *evidence.groups))
    for name in [name for name in wanted if name in evidence.groups][:PRINTED]:
        _table(section, name, tables[name])
    return section


def _table(section: Section, name: str, counts: Counts) -> None:
    group = section.evidence.groups[name]
    gold = Counter[str]({kind: 0 for pair in counts for kind in pair if kind not in APART})
    for (kind, _), count in counts.items():
        if kind not in APART:
            gold[kind] += round(count)
    types = sorted(kind for kind, _ in gold.most_common(TYPES))
    names = {kind: str(number) for number, kind in enumerate(types, start=1)}
    numbered = sum(map(len, types)) > LETTERS

    def cell(count: float, strong: bool = False) -> Cell:
        return Cell(counted(count, whole=group.seeds == 1), strong=strong and count > 0)

    def row(kind: str, title: str) -> Row:
        cells = [cell(counts.get((kind, other), 0.0), kind == other) for other in types]
        missed = [BLANK if kind in APART else cell(counts.get((kind, place), 0.0)) for place in APART]
        return Row(title, (*cells, *missed, cell(sum(count for (first, _), count in counts.items() if first == kind))))

    rows = [row(kind, f"{names[kind]} {kind}" if numbered else kind) for kind in types]
    rows += [row(place, f"Spurious {place}") for place in APART]
    sums = (cell(sum(count for (_, found), count in counts.items() if found == kind)) for kind in types)
    rows.append(Row("All predicted", (*sums, BLANK, BLANK, BLANK)))
    table = section.table(
        f"confusion-{name}",
        f"{group.first.title}: entities by gold type (rows) and predicted type (columns). Bold: right",
        [
            *(Column(names[kind] if numbered else kind, "Predicted") for kind in types),
            *(Column(head, "Missed") for head in ("overlapping", "none")),
            Column("all"),
        ],
        rows,
        stub="Gold",
    )
    if len(types) < len(gold):
        table.remark(f"The {len(types)} most frequent of {len(gold)} types; the CSV has all of them.")
