"""Precision, recall, micro and macro F1 of every experiment under the three ways of matching."""

import statistics
from collections.abc import Callable

from cman.report.appendix.evidence import Evidence, on_a_share, summarised
from cman.report.appendix.layout import Cell, Heading, Printed, Row, Section, percent
from cman.report.results import MODES, Counts, Group, Level, Run, f1, precision, recall

AVERAGED: dict[str, Callable[[Counts], float]] = {"precision": precision, "recall": recall, "f1": f1}
FIGURES = (*(f"micro_{name}" for name in AVERAGED), *(f"macro_{name}" for name in AVERAGED))
SHOWN = ("micro_precision", "micro_recall", "micro_f1", "macro_f1")


def build(evidence: Evidence) -> Section:
    """Return the section."""
    section = Section("scores", "Micro and macro; strict, boundaries and relaxed", evidence.corpus)
    section.text = (
        "Strict matching wants spans, types and, of a relation, both arguments and the direction; boundaries ignores "
        "entity types; relaxed wants types, and spans that share a token. Macro figures are means over the types seen "
        "in gold or prediction; under boundaries entities have no types, so that macro and micro are one.",
    )
    for task in ("entities", "relations"):
        rows = []
        for name, group in evidence.groups.items():
            cells = []
            for mode in MODES:
                for figure in FIGURES:
                    summary = summarised(group, _reader(task, mode, figure))
                    section.spread(name, mode, figure, summary, group.runs, task)
                    if figure in SHOWN:
                        cells.append(Cell(percent(summary.mean)))
            if not on_a_share(name):
                rows.append(Row(group.first.title, tuple(cells)))
        section.tables.append(_table(task, rows))
    return section


def _reader(task: str, mode: str, figure: str) -> Callable[[Run], float]:
    def read(run: Run) -> float:
        levels = run.entities if task == "entities" else run.relations
        return averaged(levels[mode], figure)

    return read


def averaged(level: Level, figure: str) -> float:
    """Return a figure of `FIGURES`, in percent; a macro figure is the mean over types seen in gold or prediction."""
    kind, _, name = figure.partition("_")
    if kind == "micro":
        return AVERAGED[name](level.all)
    seen = [AVERAGED[name](counts) for counts in level.types.values() if counts.predicted or counts.gold]
    return statistics.mean(seen) if seen else 0.0


def of_type(group: Group, task: str, kind: str, figure: str) -> Callable[[Run], float]:
    """Return what reads a strict figure of one type from a run; 0 where the run has never met the type."""

    def read(run: Run) -> float:
        levels = run.entities if task == "entities" else run.relations
        return AVERAGED[figure](levels["strict"].types.get(kind, Counts(0, 0, 0)))

    return read


def _table(task: str, rows: list[Row]) -> Printed:
    return Printed(
        name=f"scores-{task}",
        caption=f"{task.capitalize()}: precision (P), recall (R), micro and macro F1 in percent, mean over runs.",
        stub="Experiment",
        groups=tuple(Heading(mode.capitalize(), len(SHOWN)) for mode in MODES),
        heads=("P", "R", "micro", "macro") * len(MODES),
        spread=(False,) * (len(SHOWN) * len(MODES)),
        rows=tuple(rows),
    )
