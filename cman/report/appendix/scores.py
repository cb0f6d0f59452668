"""Precision, recall, micro and macro F1 of every experiment under the three ways of matching."""

from cman.evaluation.scores import MATCHINGS
from cman.report.appendix.section import Section, grouped, mean
from cman.report.evidence import Evidence
from cman.report.frame import MACRO, MICRO
from cman.report.results import COUNTED

SHOWN = {"P": "micro_precision", "R": "micro_recall", "micro": "micro_f1", "macro": "macro_f1"}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("scores", "Micro and macro; strict, boundaries and relaxed", evidence)
    section.text = (
        "Strict matching wants spans, types and, of a relation, both arguments and the direction; boundaries ignores "
        "entity types; relaxed wants types, and spans that share a token. Macro figures are means over the types seen "
        "in gold or prediction; under boundaries entities have no types, so that macro and micro are one.",
    )
    scores = evidence.scores[evidence.scores.type.isin((MICRO, MACRO)) & evidence.scores.task.isin(COUNTED)]
    found = section.summarise(scores.assign(figure=scores.type + "_" + scores.figure), "matching")
    for task in COUNTED:
        cells = {
            name: [mean(found[name, task, matching, figure]) for matching in MATCHINGS for figure in SHOWN.values()]
            for name in evidence.groups
        }
        section.table(
            f"scores-{task}",
            f"{task.capitalize()}: precision (P), recall (R), micro and macro F1 in percent, mean over runs",
            grouped(tuple(SHOWN), map(str.capitalize, MATCHINGS)),
            section.rows(cells),
        )
    return section
