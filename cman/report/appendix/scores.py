"""Precision, recall, micro and macro F1 of every experiment under the three ways of matching."""

from cman.evaluation.scores import MATCHINGS
from cman.report.appendix.section import Section, grouped, mean
from cman.report.evidence import Evidence
from cman.report.frame import FIGURES, MACRO, MICRO
from cman.report.results import COUNTED
from cman.report.table import Column, measured

SHOWN = {"P": "micro_precision", "R": "micro_recall", "micro": MICRO, "macro": MACRO}


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("scores", "Micro and macro; strict, boundaries and relaxed", evidence)
    section.text = (
        "Strict matching wants spans, types and, of a relation, both arguments and the direction; boundaries ignores "
        "entity types; relaxed wants types, and spans that share a token. Macro figures are means over the types seen "
        "in gold or prediction; under boundaries entities have no types, so that macro and micro are one.",
    )
    averages = [f"{kind}_{figure}" for figure in FIGURES for kind in ("micro", "macro")]
    scores = evidence.scores[evidence.scores.figure.isin(averages) & evidence.scores.task.isin(COUNTED)]
    found = section.summarise(scores, "matching")
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
    _add_ranked(section, evidence)
    return section


def _add_ranked(section: Section, evidence: Evidence) -> None:
    """Add what needs the scores of relations below the model's threshold, if any run has kept them."""
    cells = {}
    for name, group in evidence.groups.items():
        ranked = evidence.ranked(name)
        for figure, summary in ranked.items():
            if summary.mean is not None:
                section.add(name, "strict", figure, summary.mean, group.runs, "relations")
                section.add(name, "strict", f"{figure}_sd", summary.sd, group.runs, "relations")
        cells[name] = [measured(evidence.strict(name)["relations", MICRO]), *map(measured, ranked.values())]
    if any(cell.text for _, *others in cells.values() for cell in others):
        section.table(
            "scores-ranked",
            "Relations whatever the threshold, strict and micro, in percent, mean and sample standard deviation over "
            "seeds: F1 at the model's threshold; average precision of the relations scored from 0.02 up between "
            "predicted entities; F1 at the threshold that was best on dev after the epoch chosen there. A dash: the "
            "scores were not kept, or no threshold was chosen on dev",
            [Column("F1"), Column("Average precision"), Column("F1, dev's threshold")],
            section.rows(cells),
        )
