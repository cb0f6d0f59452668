"""A section of the appendix about one corpus: its texts, tables and figures; each figure is a line of the CSV."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cman.evaluation.sentences import TASKS
from cman.report.evidence import Comparison, Evidence, Names, on_a_share
from cman.report.frame import Summary, exact, percent, probability, signed, summaries
from cman.report.results import Run
from cman.report.table import Block, Cell, Column, Row, Table

KEYS = ("section", "corpus", "experiment", "reference", "task", "item", "figure")
CSV = (*KEYS, "value", "runs")
DASH = Cell()
BLANK = Cell(" ")


@dataclass(frozen=True)
class Figure:
    """One value with the runs behind it; `names` are those of `KEYS`."""

    names: tuple[str, ...]
    value: float | int | None
    runs: tuple[Run, ...]

    @property
    def line(self) -> dict[str, str]:
        """The line of the CSV."""
        return {**dict(zip(KEYS, self.names, strict=True)), "value": exact(self.value), "runs": str(len(self.runs))}


class Section(Block):
    """A section. Without figures it says that nothing ran; its sentences are generated from them."""

    def __init__(self, name: str, title: str, evidence: Evidence) -> None:
        super().__init__(title=title)
        self.name, self.evidence = name, evidence
        self.figures: list[Figure] = []
        self.absent = "Nothing ran that this section is about."

    def add(
        self, experiment: str, item: str, figure: str, value: float | int | None, runs: Iterable[Run],
        task: str = "", reference: str = "",
    ) -> None:  # fmt: skip
        """Add a figure."""
        names = (self.name, self.evidence.corpus, experiment, reference, task, item, figure)
        self.figures.append(Figure(names, value, tuple(runs)))

    def summarise(
        self, frame: pd.DataFrame, item: str = "type", *, total: bool = False, deviation: bool = True
    ) -> dict[tuple[str, str, str, str], Summary]:
        """Add mean and deviation of what a tidy table has; return them by (experiment, task, item, figure).

        Args:
            item: the column that says what a figure is of.
            total: whether values add up over folds.
            deviation: whether deviations are figures as well.
        """
        found = summaries(frame, ["experiment", "task", item, "figure"], total=total)
        for (experiment, task, kind, figure), summary in found.items():
            self.add(experiment, kind, figure, summary.mean, summary.runs, task)
            if deviation:
                self.add(experiment, kind, f"{figure}_sd", summary.sd, summary.runs, task)
        return found

    def compare(self, item: str, comparison: Comparison) -> None:
        """Add a comparison's figures."""
        experiment, reference = comparison.names
        for task in TASKS:
            difference, *others = comparison.figures(task).items()
            for name, value in (difference, ("difference_sd", comparison.difference[task].sd), *others):
                self.add(experiment, item, name, value, comparison.runs, task, reference)
        self.add(experiment, item, "pairs", comparison.pairs, comparison.runs, "", reference)

    def conclude(self, pairs: Mapping[str, Names], intended: Container[str] = ()) -> dict[str, Comparison | None]:
        """Add the figures of comparisons and a sentence on each; return them by what is asked.

        Args:
            pairs: what is asked, and experiment and reference of each.
            intended: of these, whose two differ in inputs on purpose.
        """
        made = {item: self.evidence.comparisons.get(names) for item, names in pairs.items()}
        for item, comparison in made.items():
            if comparison is None:
                one, other = pairs[item]
                self.sentences.append(f"{item}: nothing ran with a seed in common ({one} and {other}).")
            else:
                self.compare(item, comparison)
                verdict = self.evidence.verdicts.get(pairs[item])
                said = f" As a claim: {verdict}." if verdict else ""
                self.sentences.append(f"{item} {comparison.conclusion('inputs' if item in intended else '')}{said}")
        return made

    def table(self, name: str, caption: str, columns: Sequence[Column], rows: Iterable[Row], **more: Any) -> Table:
        """Add a printed table and return it."""
        sample = ", a generated sample corpus" * self.evidence.sample
        table = Table(
            f"{name}-{self.evidence.corpus}", tuple(columns), [caption.removesuffix(".")], list(rows),
            title=f"{self.evidence.title}{sample}", **more,
        )  # fmt: skip
        self.tables.append(table)
        return table

    def rows(self, cells: Mapping[str, Sequence[Cell]]) -> list[Row]:
        """Return a row for each experiment but those on a share of the training data."""
        groups = self.evidence.groups
        return [
            Row(groups[name].first.title, tuple(given), experiment=name, grey=groups[name].seeds == 1)
            for name, given in cells.items()
            if not on_a_share(name)
        ]


def mean(summary: Summary | None) -> Cell:
    """Return the cell of a mean alone."""
    return DASH if summary is None else Cell(percent(summary.mean), runs=summary.runs)


def change(summary: Summary) -> Cell:
    """Return the cell of a difference alone."""
    return Cell(signed(summary.mean), runs=summary.runs)


def grouped(heads: Sequence[str], titles: Iterable[str]) -> list[Column]:
    """Return the same columns under each of some headings."""
    return [Column(head, title) for title in titles for head in heads]


def counted(value: float, *, whole: bool) -> str:
    """Return a count, with one decimal where it is a mean over seeds."""
    return f"{value:.0f}" if whole else f"{value:.1f}"


COMPARED = (*grouped(("difference", "Holm"), map(str.capitalize, TASKS)), Column("n"))


def compared(comparison: Comparison | None) -> tuple[Cell, ...]:
    """Return difference with interval and Holm's p of each task, and the number of pairs; dashes for none."""
    if comparison is None:
        return (DASH,) * len(COMPARED)
    cells = []
    for task in TASKS:
        cell = comparison.cell(task)
        cells += [cell, Cell(probability(comparison.holm.get(task)), strong=cell.strong)]
    return (*cells, Cell(str(comparison.pairs)))


def about(evidence: Evidence) -> str:
    """Return what a caption says of differences."""
    return (
        "Differences of strict micro F1 in points on the seeds and splits that both have, in brackets the 95 % "
        "interval over test sentences, and p after Holm's correction over all "
        f"{evidence.family} tests of this document; n: pairs of runs. Bold: below 0.05 after correction, and more than "
        "one seed"
    )
