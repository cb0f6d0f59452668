"""The paper's tables as LaTeX and CSV: published figures as published, measured figures from run folders.

A published table (`config/published.yaml`) belongs to a corpus and to its variants, such as `conll04` and
`conll04-sample`; each corpus among the runs gets its own table. A sample corpus never stands beside published figures.
Output bytes depend on the runs and the published file only: rows are sorted, rounding is fixed, nothing is dated.
"""

import logging
from collections.abc import Sequence
from csv import DictWriter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from string import ascii_lowercase

from cman.errors import CmanError
from cman.files import atomic_text, write_text
from cman.report.latex import render
from cman.report.published import NUMBERS, PublishedRow, PublishedTable, read_published
from cman.report.results import Group, Summary, group_runs, read_run

log = logging.getLogger(__name__)

DASH = "--"
COLUMNS = ("entity", "relation", "overall")
CSV_HEADER = (
    *("table", "corpus", "experiment", "title", "source"),
    *(f"{column}_{figure}" for column in COLUMNS for figure in ("f1", "sd")),
    *("entity_macro_f1", "relation_macro_f1", "runs", "protocol", "note"),
)


@dataclass(frozen=True)
class Cell:
    """One printed figure; an empty mean prints as a dash, an empty deviation as nothing."""

    mean: str = ""
    sd: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One printed row: the superscript marks after its title, one cell a column, and the number of runs."""

    title: str
    marks: tuple[str, ...]
    cells: tuple[Cell, ...]
    runs: str


@dataclass
class Table:
    """One printed table, ready for the template; a text about the runs is empty where the rows differ in it.

    An absent table is that of a corpus which could not be had: it has dashes in the place of every figure measured.
    """

    number: str
    corpus: str
    title: str
    sample: bool
    origin: str
    protocol: str
    inputs: str
    bold: bool
    division: str = ""
    spread: str = ""
    absent: bool = False
    in_folds: bool = False
    published: list[Row] = field(default_factory=list)
    measured: list[Row] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

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
    def bert(self) -> bool:
        """Whether a row carries the star, which then needs its explanation."""
        return any("*" in row.marks for row in self.published)


def fixed(value: float | None) -> str:
    """Return a figure with two decimals, halves rounded up as a reader does by hand; empty for a missing figure."""
    if value is None:
        return ""
    # Nine decimals first: 84.375 may be stored as 84.37499999999999 after an average, which is a half all the same.
    return str(Decimal(f"{value:.9f}").quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def _summaries(group: Group) -> tuple[Summary, ...]:
    return group.entity, group.relation, group.overall


def _shared(groups: Sequence[Group], name: str) -> str:
    """The value of a field that is the same in every row, and so belongs in the caption; otherwise empty."""
    values = {getattr(group.first, name) for group in groups}
    return str(values.pop()) if len(values) == 1 else ""


def _measured(groups: Sequence[Group], published: PublishedTable) -> list[Group | PublishedRow]:
    """The paper's own experiments in the paper's order, then what was added to them, by name.

    Where published rows stand above, a row of theirs that is repeated here but has no run yet keeps its place.
    """
    by_name = {group.first.experiment: group for group in groups}
    rows: list[Group | PublishedRow] = []
    for row in published.rows:
        if row.experiment in by_name:
            rows.append(by_name.pop(row.experiment))
        elif row.experiment and not (groups and groups[0].first.sample):
            rows.append(row)
    return rows + [by_name[name] for name in sorted(by_name)]


def _published_note(row: PublishedRow) -> str:
    return f"{row.source}. {row.note}".strip()


def _published_line(table: Table, row: PublishedRow) -> Row:
    mark = table.mark(_published_note(row), letter=False)
    cells = (Cell(fixed(row.entity_f1)), Cell(fixed(row.relation_f1)), Cell())
    return Row(row.method, ("*", mark) if row.bert else (mark,), cells, "")


def _measured_line(table: Table, row: Group | PublishedRow, best: Sequence[str]) -> Row:
    if isinstance(row, PublishedRow):
        return Row(row.method, (), (Cell(),) * len(COLUMNS), DASH)
    notes = []
    if not table.inputs:
        notes.append(f"Inputs: {row.first.inputs_title}.")
    if not table.protocol:
        notes.append(f"Protocol: {row.first.protocol}.")
    if not table.spread and row.spread:
        notes.append(f"{row.spread[0].upper()}{row.spread[1:]}.")
    if not table.division and row.first.division:
        notes.append(f"Division: {row.first.division}.")
    cells = []
    for summary, top in zip(_summaries(row), best, strict=True):
        mean = fixed(summary.mean)
        cells.append(Cell(mean, fixed(summary.sd), table.bold and mean == top))
    return Row(
        row.first.title, tuple(table.mark(note, letter=True) for note in notes), tuple(cells), str(len(row.runs))
    )


def build_table(groups: Sequence[Group], published: PublishedTable) -> Table:
    """Return the printed table of one corpus, whose groups are given."""
    first = groups[0].first
    table = Table(
        number=published.number,
        corpus=first.corpus,
        title=first.corpus_title,
        sample=first.sample,
        origin=f"Table {published.number} of {published.origin}" if published.number else "",
        protocol=_shared(groups, "protocol"),
        inputs=_shared(groups, "inputs_title"),
        bold=len(groups) > 1,
        division=_shared(groups, "division"),
        in_folds=any(group.spread for group in groups),
        spread=groups[0].spread if len({group.spread for group in groups}) == 1 else "",
    )
    if not first.sample:
        table.published = [_published_line(table, row) for row in published.rows]
    means = zip(*([fixed(summary.mean) for summary in _summaries(group)] for group in groups), strict=True)
    best = [max(column, key=Decimal) for column in means]
    table.measured = [_measured_line(table, row, best) for row in _measured(groups, published)]
    return table


def absent_table(published: PublishedTable) -> Table:
    """Return the printed table of a corpus that could not be had: published figures, and dashes for measured ones."""
    origin = f"Table {published.number} of {published.origin}"
    title = published.title or published.corpus
    table = Table(published.number, published.corpus, title, False, origin, "", "", bold=False, absent=True)
    table.published = [_published_line(table, row) for row in published.rows]
    table.measured = [_measured_line(table, row, ()) for row in published.rows if row.experiment]
    return table


def csv_rows(groups: Sequence[Group], published: PublishedTable) -> list[dict[str, str]]:
    """Return the lines of one corpus's table, in the order of the printed rows; a missing figure is empty.

    Without any group, the table is that of an absent corpus.
    """
    first = groups[0].first if groups else None
    place = {"table": published.number, "corpus": first.corpus if first else published.corpus}
    lines = []
    for row in () if first and first.sample else published.rows:
        note = _published_note(row) + (" BERT is the core model." if row.bert else "")
        text = {"experiment": row.experiment, "title": row.method, "source": "published", "note": note}
        lines.append({**place, **text, "entity_f1": fixed(row.entity_f1), "relation_f1": fixed(row.relation_f1)})
    for entry in _measured(groups, published):
        line = {**place, "source": "measured"}
        if isinstance(entry, PublishedRow):
            lines.append({**line, "experiment": entry.experiment, "title": entry.method, "runs": "0"})
            continue
        line |= {"experiment": entry.first.experiment, "title": entry.first.title, "runs": str(len(entry.runs))}
        for name, summary in zip(COLUMNS, _summaries(entry), strict=True):
            line |= {f"{name}_f1": fixed(summary.mean), f"{name}_sd": fixed(summary.sd)}
        line["entity_macro_f1"] = fixed(entry.entity_macro.mean)
        line["relation_macro_f1"] = fixed(entry.relation_macro.mean)
        notes = [f"Inputs: {entry.first.inputs_title}."]
        notes += [f"{text[0].upper()}{text[1:]}." for text in (entry.spread, entry.first.division) if text]
        lines.append({**line, "protocol": entry.first.protocol, "note": " ".join(notes)})
    return lines


def _placed(
    groups: Sequence[Group], definitions: Sequence[PublishedTable], absent: Sequence[str]
) -> list[tuple[PublishedTable, str]]:
    """Return (table, corpus) in the order of printing: the paper's tables first, then one for each other corpus.

    A corpus belongs to a paper's table by its name, its variants such as `conll04-sample` too; real ones come first.
    """
    known = {(group.first.sample, group.first.corpus) for group in groups}
    corpora = [corpus for _, corpus in sorted(known | {(False, name) for name in absent})]
    placed = [
        (definition, corpus)
        for definition in definitions
        for corpus in corpora
        if corpus == definition.corpus or corpus.startswith(f"{definition.corpus}-")
    ]
    own = [corpus for corpus in corpora if corpus not in {name for _, name in placed}]
    return placed + [(PublishedTable(number="", corpus=corpus, origin="", rows=()), corpus) for corpus in own]


def write_tables(run_folders: list[Path], published: Path, tex: Path, csv: Path, absent: Sequence[str] = ()) -> None:
    """Write the tables of the given runs as LaTeX and as CSV, both atomically.

    Args:
        absent: corpora of the paper that could not be had; their tables show dashes.

    Raises:
        CmanError: no run is given, a run or the published file is malformed, or runs of one row do not belong together.
    """
    if not run_folders and not absent:
        raise CmanError("no run was given; wanted at least one run folder to make tables from")
    groups = group_runs(read_run(folder) for folder in run_folders)
    definitions = read_published(published)
    tables, lines = [], []
    published_corpora = [definition.corpus for definition in definitions]
    for name in set(absent).difference(published_corpora):
        log.info("%s: has neither runs nor published figures, and so no table", name)
    missing = [name for name in published_corpora if name in absent]
    for definition, corpus in _placed(groups, definitions, missing):
        members = [group for group in groups if group.first.corpus == corpus]
        tables.append(build_table(members, definition) if members else absent_table(definition))
        lines += csv_rows(members, definition)
    write_text(tex, render(tables))
    with atomic_text(csv) as stream:
        writer = DictWriter(stream, CSV_HEADER, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
