"""Rows that control for the contextual encoder: both architectures, each with and without contextual inputs.

The paper compares CMAN with ELMo against a baseline without it, so that its main difference mixes two causes. Four
experiments take them apart: two inputs by two architectures, the baseline in the sizes of its public configuration. A
baseline of CMAN's inputs and sizes stands beside them.
"""

from collections.abc import Sequence

from cman.evaluation.sentences import TASKS
from cman.report.appendix.section import BLANK, DASH, Section, about, grouped
from cman.report.evidence import SINGULAR, Evidence, Names
from cman.report.frame import MICRO, signed
from cman.report.table import Cell, Row, measured

STATIC = ("multihead-at", "cman-static")
CONTEXTUAL = ("multihead-contextual", "cman")
DIFFERENCES = {  # what is asked: experiment, reference
    "Contextual inputs, in the baseline": ("multihead-contextual", "multihead-at"),
    "Contextual inputs, in CMAN": ("cman", "cman-static"),
    "Architecture, without contextual inputs": ("cman-static", "multihead-at"),
    "Architecture, with contextual inputs": ("cman", "multihead-contextual"),
    "Architecture, with contextual inputs and equal sizes": ("cman", "multihead-matched"),
}


def pairs(evidence: Evidence) -> list[Names]:
    """Return what the section compares."""
    return list(DIFFERENCES.values())


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("encoder", "Architecture and contextual encoder", evidence)
    section.absent = f"Nothing ran of {', '.join((*STATIC, *CONTEXTUAL))}."
    for name in (*STATIC, *CONTEXTUAL):
        for task in TASKS:
            if name in evidence.groups:
                summary = evidence.strict(name)[task, MICRO]
                for figure, value in (("f1", summary.mean), ("f1_sd", summary.sd)):
                    section.add(name, "F1", figure, value, evidence.groups[name].runs, task)
    section.conclude(DIFFERENCES, [what for what in DIFFERENCES if what.startswith("Contextual")])
    if not section.figures:
        return section
    section.text = (
        "The paper's CMAN reads contextual inputs and its baseline does not. Here both architectures stand beside "
        "each other with and without them; a difference is over the seeds that both experiments have. The two "
        "architectures differ in more than attention and labels, as each sentence says.",
    )
    columns = tuple(zip(STATIC, CONTEXTUAL, strict=True))  # of one architecture each
    rows = [
        *(Row(title, _row(evidence, names)) for title, names in (("static", STATIC), ("contextual", CONTEXTUAL))),
        Row("difference", tuple(
            cell for task in TASKS
            for cell in (*(_difference(evidence, (high, low), task) for low, high in columns), BLANK)
        )),
    ]  # fmt: skip
    table = section.table(
        "encoder",
        "Strict micro F1 in percent, mean and sample standard deviation over seeds, by architecture and inputs. "
        + about(evidence),
        grouped(("baseline", "CMAN", "diff."), (SINGULAR[task].capitalize().replace("f1", "F1") for task in TASKS)),
        rows,
        stub="Inputs",
    )
    table.remark(
        "Baseline: multi-head with adversarial training. Static: word vectors and characters. Contextual: these and "
        "the contextual encoder."
    )
    return section


def _row(evidence: Evidence, names: Sequence[str]) -> tuple[Cell, ...]:
    baseline, cman = names
    return tuple(
        cell
        for task in TASKS
        for cell in (
            *(measured(evidence.strict(name)[task, MICRO]) if name in evidence.groups else DASH for name in names),
            _difference(evidence, (cman, baseline), task),
        )
    )


def _difference(evidence: Evidence, names: Names, task: str) -> Cell:
    comparison = evidence.comparisons.get(names)
    if comparison is None:
        return DASH
    return Cell(signed(comparison.difference[task].mean), strong=comparison.cell(task).strong, runs=comparison.runs)
