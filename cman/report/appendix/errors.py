"""Where relation errors come from, of every experiment: missed relations, and spurious ones."""

from collections.abc import Iterator

from cman.evaluation.errors import MISSED, SPURIOUS, relation_errors
from cman.report.appendix.section import Section, counted
from cman.report.evidence import Evidence
from cman.report.frame import STRICT, Measured
from cman.report.predictions import Predicted
from cman.report.table import Cell, Column

HEADS = ("no entity", "boundary", "type", "label", "direction", "pair", "all")  # of both, in the order of their classes
CLASSES = {"missed": MISSED, "spurious": SPURIOUS}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("errors", "Where relation errors come from", evidence)
    section.text = (
        "Each missed gold relation stands in the first class that fits, from left to right: an argument overlaps no "
        "predicted entity (no entity); an argument's span was not predicted (boundary); it was, with another type "
        "(type); both arguments are right, with a wrong relation of another label between them (label), or with one in "
        "the other direction only (direction), or with none (pair). Spurious relations are put into the mirrored "
        "classes by what is annotated. The classes add up to the false negatives and false positives of strict scores.",
    )
    found = section.summarise(evidence.frame(_measure), total=True, deviation=False)
    whole = all(group.seeds == 1 for group in evidence.groups.values())
    for kind, classes in CLASSES.items():
        cells = {
            name: [
                Cell(counted(found[name, "relations", label, kind].mean or 0, whole=whole))
                for label in (*classes, "all")
            ]
            for name in evidence.groups
        }
        section.table(
            f"errors-{kind}",
            f"{kind.capitalize()} relations of the test set by class, mean over seeds",
            [Column(head) for head in HEADS],
            section.rows(cells),
        )
    return section


def _measure(found: Predicted) -> Iterator[Measured]:
    for (kind, classes), counts in zip(CLASSES.items(), relation_errors(found.gold, found.found), strict=True):
        for label in classes:
            yield "relations", STRICT, label, kind, counts[label]
        yield "relations", STRICT, "all", kind, sum(counts.values())
