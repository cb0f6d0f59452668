"""A printed table, ready for the template: columns, rows of cells, footnotes, and what stands behind each cell.

Texts are plain; the template escapes them. Each cell keeps its figure and the runs it was made from, so that the JSON
beside the printed tables is the same thing in another form and cannot say anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from string import ascii_lowercase
from typing import Any

from cman.report.published import NUMBERS
from cman.report.results import Run, Summary, reference


@dataclass(frozen=True)
class Column:
    """One column: the heading over its group, its own heading, and whether its cells may have a deviation."""

    group: str
    head: str
    spread: bool = False
    bold: bool = False  # whether its best cell is marked


@dataclass(frozen=True)
class Cell:
    """One printed figure; an empty text prints as a dash, an empty deviation as nothing.

    `runs` or `source` say what it was made from: measured runs, or a publication or file.
    """

    text: str = ""
    sd: str = ""
    best: bool = False
    runs: tuple[Run, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Row:
    """One printed row: the superscript marks after its title, and one cell a column. Without cells it is a heading."""

    title: str
    marks: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    experiment: str = ""


@dataclass
class Table:
    """One printed table; its caption is made of sentences."""

    number: str
    corpus: str
    title: str
    columns: tuple[Column, ...]
    sentences: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # notes without a mark

    def mark(self, note: str, *, letter: bool) -> str:
        """Return the mark of a footnote: numbers for sources, letters for remarks; equal texts share a mark."""
        if note not in self.notes:
            count = sum(mark.isalpha() == letter for mark in self.notes.values())
            letters = ascii_lowercase[count % 26] * (count // 26 + 1)
            self.notes[note] = letters if letter else str(count + 1)
        return self.notes[note]

    @property
    def position(self) -> int:
        """The table's number in Arabic figures, for LaTeX's counter; 0 for a corpus that the paper does not have."""
        return NUMBERS.index(self.number) + 1 if self.number else 0

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The headings over groups, each with the columns that it takes in LaTeX, where a spread takes two."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            width = 2 if column.spread else 1
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + width)
            else:
                found.append((column.group, width))
        return found

    @property
    def spreads(self) -> int:
        """How many columns may have deviations."""
        return sum(column.spread for column in self.columns)

    @property
    def width(self) -> int:
        """How many columns the table has in LaTeX."""
        return 1 + len(self.columns) + self.spreads

    def to_json(self) -> dict[str, Any]:
        """Return every cell with the runs behind it; a dash is null."""
        section, rows = "", []
        for row in self.rows:
            if not row.cells:
                section = row.title
                continue
            cells = {
                f"{column.group} {column.head}".strip(): _cell(cell)
                for column, cell in zip(self.columns, row.cells, strict=True)
            }
            rows.append({"section": section, "title": row.title, "experiment": row.experiment, "cells": cells})
        return {"table": self.number, "corpus": self.corpus, "title": self.title, "rows": rows}


def _cell(cell: Cell) -> dict[str, Any] | None:
    if not cell.text:
        return None
    value: dict[str, Any] = {"value": cell.text}
    if cell.sd:
        value["sd"] = cell.sd
    if cell.source:
        value["source"] = cell.source
    if cell.runs:
        value["runs"] = [reference(run) for run in cell.runs]
    return value


def measured_cell(summary: Summary | None, runs: Sequence[Run]) -> Cell:
    """Return the cell of a mean and its deviation; a dash where nothing ran."""
    return Cell() if summary is None else Cell(fixed(summary.mean), fixed(summary.sd), runs=tuple(runs))


def published_cell(value: float | None, source: str) -> Cell:
    """Return the cell of a published figure; a dash where nothing was published."""
    return Cell(fixed(value), source=source if value is not None else "")


def with_best(columns: Sequence[Column], rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the best cells of the columns that want it marked; of one figure alone none is the best."""
    best = []
    for place, column in enumerate(columns):
        texts = [row.cells[place].text for row in rows if row.cells and row.cells[place].text]
        best.append(max(texts, key=Decimal) if column.bold and len(texts) > 1 else None)
    return [
        Row(
            row.title,
            row.marks,
            tuple(
                Cell(cell.text, cell.sd, cell.text == top, cell.runs, cell.source) if cell.text and top else cell
                for cell, top in zip(row.cells, best, strict=True)
            )
            if row.cells
            else (),
            row.experiment,
        )
        for row in rows
    ]


def fixed(value: float | None, places: int = 2) -> str:
    """Return a figure with so many decimals, halves rounded up as a reader does by hand; empty for a missing figure."""
    if value is None:
        return ""
    # Nine decimals first: 84.375 may be stored as 84.37499999999999 after an average, which is a half all the same.
    return str(Decimal(f"{value:.9f}").quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))
