"""The question a reproduction must answer: what each part of CMAN contributes when everything else is equal.

Each row is the full model minus the model that lacks one part, on the same inputs, the contextual encoder included.
What a row says in words is generated from its figures, and from its settings where the two were not trained or built
alike.
"""

from cman.report.appendix.compared import GROUPS, HEADS, adjusted, cells, conclusion, empty_cells, keep, number_of
from cman.report.appendix.evidence import Evidence
from cman.report.appendix.layout import Printed, Row, Section

PARTS = (  # what is asked, and the experiment that lacks it
    ("Label gate", "cman-encoded-label"),
    ("Second phase", "cman-one-phase"),
    ("BLA", "cman-no-bla"),
    ("Gold rather than predicted labels", "cman-predicted"),
    ("Gold rather than half predicted labels", "cman-scheduled"),
    ("All of CMAN, against its inputs", "multihead-contextual"),
    ("All of CMAN, against its inputs and sizes", "multihead-matched"),
)


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("question", "What each part contributes when everything else is equal", evidence.corpus)
    made = [(what, evidence.comparison("cman", name)) for what, name in PARTS]
    family = {what: comparison for what, comparison in made if comparison is not None}
    if not family:
        section.absent = "Nothing ran that could be compared: wanted cman and a model that lacks one of its parts."
        return section
    corrected = dict(zip(family, adjusted(list(family.values())), strict=True))
    rows = []
    for (what, other), (_, comparison) in zip(PARTS, made, strict=True):
        if comparison is None:
            rows.append(Row(what, empty_cells()))
            section.sentences.append(f"{what}: nothing ran with a seed in common (cman and {other}).")
            continue
        rows.append(Row(what, cells(comparison, corrected[what], deviation=True)))
        keep(section, what, comparison, corrected[what])
        section.sentences.append(conclusion(what, comparison, corrected[what]))
    section.text = (
        "The full model minus the model that lacks one part, or that reads other labels in training; the last rows "
        "subtract the multi-head baseline on the same inputs. Positive figures speak for the part. Where training was "
        "not equal, the sentence says so. Tests and their limits are those of the section on significance.",
    )
    section.tables.append(
        Printed(
            name="question",
            caption="Differences of strict micro F1 in points: mean, sample standard deviation of the paired "
            f"differences, p, and p after Holm's correction over {number_of(len(family), 'comparison')}; "
            "n: pairs of runs of equal seed and split. Bold: below 0.05 after correction.",
            stub="Part",
            groups=GROUPS,
            heads=HEADS,
            spread=(True, False, False) * 3 + (False,),
            rows=tuple(rows),
        )
    )
    return section
