"""The question a reproduction must answer: what each part of CMAN contributes when everything else is equal.

Each row is the full model minus the model that lacks one part, on the same inputs, the contextual encoder included.
What a row says in words is generated from its figures, and from its settings where the two were not trained or built
alike.
"""

from cman.report.appendix.section import COMPARED, Section, about, compared
from cman.report.evidence import Evidence, Names
from cman.report.table import Row

PARTS = {  # what is asked, and the experiment that lacks it
    "Label gate": "cman-encoded-label",
    "Second phase": "cman-one-phase",
    "BLA": "cman-no-bla",
    "Gold rather than predicted labels": "cman-predicted",
    "Gold rather than half predicted labels": "cman-scheduled",
    "All of CMAN, against its inputs": "multihead-contextual",
    "All of CMAN, against its inputs and sizes": "multihead-matched",
}


def pairs(evidence: Evidence) -> list[Names]:
    """Return what the section compares."""
    return [("cman", other) for other in PARTS.values()]


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("question", "What each part contributes when everything else is equal", evidence)
    section.absent = "Nothing ran that could be compared: wanted cman and a model that lacks one of its parts."
    if not any(names in evidence.comparisons for names in pairs(evidence)):
        return section
    made = section.conclude({what: ("cman", other) for what, other in PARTS.items()})
    section.text = (
        "The full model minus the model that lacks one part, or that reads other labels in training; the last rows "
        "subtract the multi-head baseline on the same inputs. Positive figures speak for the part. Where training was "
        "not equal, the sentence says so. Tests and their limits are those of the section on significance.",
    )
    rows = [Row(what, compared(found), grey=found is not None and found.seeds == 1) for what, found in made.items()]
    section.table("question", about(evidence), COMPARED, rows, stub="Part")
    return section
