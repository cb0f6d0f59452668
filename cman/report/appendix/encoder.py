"""Rows that control for the contextual encoder: both architectures, each with and without contextual inputs.

The paper compares CMAN with ELMo against a baseline without it, so that its main difference mixes two causes. Four
experiments take them apart: two inputs by two architectures, the baseline in the sizes of its public configuration. A
baseline of CMAN's inputs and sizes stands beside them.
"""

from cman.evaluation.sentences import TASKS
from cman.report.appendix.compared import ALPHA, SINGULAR, adjusted, conclusion, keep, number_of
from cman.report.appendix.evidence import Comparison, Evidence
from cman.report.appendix.layout import Cell, Heading, Note, Printed, Row, Section, percent, signed
from cman.report.results import Group, Summary

STATIC = ("multihead-at", "cman-static")
CONTEXTUAL = ("multihead-contextual", "cman")
DIFFERENCES = (  # what is asked, experiment, reference
    ("Contextual inputs, in the baseline", "multihead-contextual", "multihead-at"),
    ("Contextual inputs, in CMAN", "cman", "cman-static"),
    ("Architecture, without contextual inputs", "cman-static", "multihead-at"),
    ("Architecture, with contextual inputs", "cman", "multihead-contextual"),
    ("Architecture, with contextual inputs and equal sizes", "cman", "multihead-matched"),
)


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("encoder", "Architecture and contextual encoder", evidence.corpus)
    section.absent = f"Nothing ran of {', '.join((*STATIC, *CONTEXTUAL))}."
    for name in (*STATIC, *CONTEXTUAL):
        if name in evidence.groups:
            group = evidence.groups[name]
            for task, summary in zip(TASKS, _figures(group), strict=True):
                section.spread(name, "F1", "f1", summary, group.runs, task)
    made = {
        (experiment, reference): comparison
        for _, experiment, reference in DIFFERENCES
        if (comparison := evidence.comparison(experiment, reference)) is not None
    }
    corrected = dict(zip(made, adjusted(list(made.values())), strict=True))
    for what, experiment, reference in DIFFERENCES:
        if (pair := (experiment, reference)) in made:
            keep(section, what, made[pair], corrected[pair])
            asked = "inputs" if what.startswith("Contextual") else ""
            section.sentences.append(conclusion(what, made[pair], corrected[pair], asked))
        else:
            section.sentences.append(f"{what}: nothing ran with a seed in common ({experiment} and {reference}).")
    if section.figures:
        section.text = (
            "The paper's CMAN reads contextual inputs and its baseline does not. Here both architectures stand beside "
            "each other with and without them; a difference is over the seeds that both experiments have. The two "
            "architectures differ in more than attention and labels, as each sentence says.",
        )
        section.tables.append(_table(evidence, made, corrected))
    return section


def _figures(group: Group) -> tuple[Summary, ...]:
    return group.entity, group.relation, group.overall


def _table(
    evidence: Evidence,
    made: dict[tuple[str, str], Comparison],
    corrected: dict[tuple[str, str], tuple[float, ...]],
) -> Printed:
    def figure(name: str, task: int) -> Cell:
        if name not in evidence.groups:
            return Cell()
        summary = _figures(evidence.groups[name])[task]
        return Cell(percent(summary.mean), percent(summary.sd))

    def difference(experiment: str, reference: str, task: int) -> Cell:
        if (pair := (experiment, reference)) not in made:
            return Cell()
        return Cell(signed(made[pair].difference[task].mean), strong=corrected[pair][task] < ALPHA)

    def row(title: str, baseline: str, cman: str) -> Row:
        tasks = range(len(TASKS))
        return Row(
            title,
            tuple(
                cell
                for task in tasks
                for cell in (figure(baseline, task), figure(cman, task), difference(cman, baseline, task))
            ),
        )

    below = tuple(
        cell
        for task in range(len(TASKS))
        for cell in (
            difference(CONTEXTUAL[0], STATIC[0], task),
            difference(CONTEXTUAL[1], STATIC[1], task),
            Cell(" "),
        )
    )
    bold = (
        " Bold: p of a difference is below 0.05 by the test over sentences, after Holm's correction over "
        f"{number_of(len(made), 'comparison')}."
    )
    return Printed(
        name="encoder",
        caption="Strict micro F1 in percent, mean and sample standard deviation over seeds, by architecture and "
        f"inputs, with the differences in points.{bold if made else ''}",
        stub="Inputs",
        groups=tuple(Heading(SINGULAR[task].capitalize().replace("f1", "F1"), 3) for task in TASKS),
        heads=("baseline", "CMAN", "diff.") * len(TASKS),
        spread=(True, True, False) * len(TASKS),
        rows=(
            row("static", *STATIC),
            row("contextual", *CONTEXTUAL),
            Row("difference", below),
        ),
        notes=(
            Note(
                "Baseline: multi-head with adversarial training. Static: word vectors and characters. Contextual: "
                "these and the contextual encoder."
            ),
        ),
    )
