"""The one model of a printed table, the LaTeX of tables and their JSON.

Texts are plain; the template escapes them. Each cell keeps the runs or the source that it was made from, so that the
JSON beside printed tables is the same thing in another form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import jinja2

from cman.report.frame import Summary, fixed, percent
from cman.report.latex import escape
from cman.report.results import Run

TEMPLATE, PAGE = "document.tex.j2", "tables.html.j2"
TEXT = r">{\raggedright\arraybackslash}X"  # a column that wraps
BESIDE = (r">{\hsize=1.3\hsize\raggedright\arraybackslash}X", r">{\hsize=.7\hsize\raggedright\arraybackslash}X")
MOST_LINES = 46  # of a table on one page, a row of a long text being as many
WRAPPED = 24  # letters on a line of a narrow column
LONGEST = 80  # letters of a title or text; what is longer is cut, and whole in the CSV
SMALL, TINY = 9, 15  # columns that need smaller type


@dataclass(frozen=True)
class Column:
    """One column: its heading, the heading over its group, and whether it holds texts that may wrap."""

    head: str
    group: str = ""
    text: bool = False
    name: str = ""  # in the JSON, where it is not the heading


@dataclass(frozen=True)
class Cell:
    """One printed figure; an empty text prints as a dash, a blank one as nothing.

    `sd` stands behind a plus-minus, `interval` in brackets. `runs` or `source` say what the figure was made from:
    measured runs, or a publication or file.
    """

    text: str = ""
    sd: str = ""
    interval: str = ""
    strong: bool = False
    runs: tuple[Run, ...] = ()
    source: str = ""

    def to_json(self) -> dict[str, Any] | None:
        """Return the figure with the runs behind it; a dash is null."""
        if not self.text.strip():
            return None
        found: dict[str, Any] = {"value": self.text}
        found |= {name: value for name in ("sd", "interval", "source") if (value := getattr(self, name))}
        return found | ({"runs": [run.reference() for run in self.runs]} if self.runs else {})


@dataclass(frozen=True)
class Row:
    """One printed row: marks of notes after its title, one cell a column. Without cells it is a heading.

    A grey row rests on one seed; a minor one belongs to the row above it.
    """

    title: str
    cells: tuple[Cell, ...] = ()
    marks: tuple[str, ...] = ()
    experiment: str = ""
    grey: bool = False
    minor: bool = False


@dataclass
class Table:
    """One printed table; its caption is made of sentences, its notes have a mark or none."""

    name: str
    columns: tuple[Column, ...]
    caption: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)  # text -> mark
    stub: str = "Model"
    title: str = ""  # of the corpus, before the caption
    number: int = 0  # that the paper gives it; 0 counts on
    continued: bool = False

    def mark(self, note: str) -> str:
        """Return the mark of a note; equal texts share one."""
        if note not in self.notes:
            count = sum(bool(mark) for mark in self.notes.values())
            self.notes[note] = ascii_lowercase[count % 26] * (count // 26 + 1)
        return self.notes[note]

    def remark(self, note: str) -> None:
        """Add a note without a mark."""
        self.notes.setdefault(note, "")

    @property
    def groups(self) -> list[tuple[str, int, int, int]]:
        """The headings over groups: title, columns taken, and the first and last of them in LaTeX."""
        found: list[tuple[str, int, int, int]] = []
        for place, column in enumerate(self.columns, start=2):
            if found and found[-1][0] == column.group:
                title, width, first, _ = found.pop()
                found.append((title, width + 1, first, place))
            else:
                found.append((column.group, 1, place, place))
        return found if any(column.group for column in self.columns) else []

    @property
    def size(self) -> str:
        """The size of type in LaTeX."""
        return (
            r"\footnotesize" if len(self.columns) < SMALL else r"\scriptsize" if len(self.columns) < TINY else r"\tiny"
        )

    @property
    def preamble(self) -> str:
        """The columns in LaTeX: titles and texts share what figures leave of the width."""
        titles, texts = BESIDE if any(column.text for column in self.columns) else (TEXT, TEXT)
        return titles + "".join(texts if column.text else "l" for column in self.columns)

    @property
    def pieces(self) -> list["Table"]:
        """The table in pieces that fit on a page each."""
        pieces: list[list[Row]] = [[]]
        lines = 0
        for row in self.rows:
            longest = max(len(escape(short(text))) for text in (row.title, *(cell.text for cell in row.cells)))
            height = 1 + longest // WRAPPED
            if lines + height > MOST_LINES:
                pieces, lines = [*pieces, []], 0
            pieces[-1].append(row)
            lines += height
        return [replace(self, rows=rows, continued=place > 0) for place, rows in enumerate(pieces)]

    def to_json(self) -> list[dict[str, Any]]:
        """Return every cell of every row with the runs behind it."""
        section, rows = "", []
        for row in self.rows:
            if not row.cells:
                section = row.title
                continue
            names = [f"{column.group} {column.name or column.head}".strip() for column in self.columns]
            cells = {name: cell.to_json() for name, cell in zip(names, row.cells, strict=True)}
            rows.append({"section": section, "title": row.title, "experiment": row.experiment, "cells": cells})
        return rows


@dataclass
class Block:
    """What stands under one heading: texts, sentences that become a list, and tables."""

    tables: list[Table] = field(default_factory=list)
    title: str = ""
    text: Sequence[str] = ()
    sentences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """A part of a document."""

    title: str
    sections: Sequence[Block]
    remarks: Sequence[str] = ()


def measured(summary: Summary | None) -> Cell:
    """Return the cell of a mean and its deviation; a dash where nothing ran or nothing is defined."""
    if summary is None or summary.mean is None:
        return Cell(runs=summary.runs if summary else ())
    return Cell(percent(summary.mean), percent(summary.sd), runs=summary.runs)


def published(value: float | None, source: str) -> Cell:
    """Return the cell of a published figure; a dash where nothing was published."""
    return Cell(fixed(value), source=source if value is not None else "")


def short(text: str) -> str:
    """Return a text that takes a few lines of a column at most."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def render(parts: Sequence[Part], opening: str) -> str:
    """Return the LaTeX of a document.

    Args:
        opening: what its first comment says it is.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        line_statement_prefix="%%",
        line_comment_prefix="%#",
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        comment_start_string=r"\COMMENT{",  # the usual {# stands in LaTeX's own {#1}
        comment_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        autoescape=False,  # HTML escapes have no place here; the template passes every text through `tex`
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"tex": escape, "short": short}
    return environment.get_template(TEMPLATE).render(parts=parts, opening=opening)


def render_html(tables: Sequence[tuple[str, Table]]) -> str:
    """Return a page of tables, each with the number that the paper gives it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(PAGE).render(tables=tables)
