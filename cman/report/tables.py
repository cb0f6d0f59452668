"""The paper's tables as LaTeX, CSV and JSON: published figures as published, measured figures from run folders.

A published table (`config/published.yaml`) belongs to a corpus and to its variants, such as `conll04` and
`conll04-sample`; each corpus among the runs gets its own tables. A sample corpus never stands beside published figures.
Output bytes depend on the runs, the decoding times and the published file only: rows are sorted, rounding is fixed,
nothing is dated.
"""

import logging
from collections.abc import Sequence
from csv import DictWriter
from pathlib import Path

from cman.errors import CmanError
from cman.files import atomic_text, write_json, write_text
from cman.report.decoding_table import decoding_tables, read_decoding
from cman.report.entries import Entry, entries_of
from cman.report.latex import render
from cman.report.predictions import check_counts, read_predicted
from cman.report.printed import Cell, Column, Row, Table, measured_cell, published_cell, with_best
from cman.report.published import PublishedTable, read_published
from cman.report.results import Group, group_runs, read_run
from cman.report.table_csv import CSV_HEADER, csv_rows

log = logging.getLogger(__name__)

TASKS = ("Entity", "Relation", "Overall")
PUBLISHED, MEASURED = "published", "measured"


def _columns(published: bool) -> tuple[Column, ...]:
    if not published:
        return (*(Column("", task, spread=True, bold=True) for task in TASKS), Column("", "n"))
    columns = []
    for task in TASKS:
        if task != "Overall":  # the paper's tables have none
            columns.append(Column(task, PUBLISHED))
        columns.append(Column(task, MEASURED, spread=True, bold=True))
    return (*columns, Column("", "n"))


def _shared(groups: Sequence[Group], name: str) -> str:
    """The value of a field that is the same in every row, and so belongs in the caption; otherwise empty."""
    values = {getattr(group.first, name) for group in groups}
    return str(values.pop()) if len(values) == 1 else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def build_table(published: PublishedTable, groups: Sequence[Group], first: bool = True) -> Table:
    """Return the printed table of one corpus, whose groups are given; none for a corpus that could not be had."""
    run = groups[0].first if groups else None
    sample = run is not None and run.sample
    paper, added = entries_of(published, groups, first)
    shown = [entry.group for entry in (*paper, *added) if entry.group is not None]
    columns = _columns(published=not sample and bool(published.rows))
    title = run.corpus_title if run else published.title or published.corpus
    table = Table(published.number, run.corpus if run else published.corpus, title, columns)
    table.sentences = _caption(published, title, sample, shown, any(column.bold for column in columns))
    rows = [_row(table, entry, shown) for entry in paper]
    if added:
        rows += ([Row("Added here")] if paper else []) + [_row(table, entry, shown) for entry in added]
    table.rows = with_best(columns, rows)
    if any("*" in row.marks for row in rows):
        table.remarks.append("* The study uses BERT as its core model.")
    if published.note:
        table.remarks.append(published.note)
    return table


def _caption(published: PublishedTable, title: str, sample: bool, shown: Sequence[Group], bold: bool) -> list[str]:
    origin = f"Table {published.number} of {published.origin}" if published.number else ""
    if sample:
        opening = f"{title}, a generated sample corpus" + (f", in the layout of {origin}" if origin else "")
    else:
        opening = title + (f", beside the figures published in {origin}" if origin else "")
    sentences = [opening, "Strict micro F1 in percent on the test split; overall is the mean of entity and relation F1"]
    if not shown:
        return [*sentences, "Nothing was measured"]
    spreads = {group.spread for group in shown}
    spread = spreads.pop() if len(spreads) == 1 else None
    if spread:
        sentences.append(f"Measured: {spread}; n is the number of runs")
    elif spread is None:
        sentences.append("Measured: over folds, see the notes; n is the number of runs")
    else:
        sentences.append("Measured: mean ± sample standard deviation over n seeds")
    if division := _shared(shown, "division"):
        sentences.append(f"Division: {division}")
    sentences.append(f"Protocol: {_shared(shown, 'protocol') or 'see the notes'}")
    sentences.append(f"Inputs: {_shared(shown, 'inputs_title') or 'see the notes'}")
    if any(group.first.training for group in shown):
        sentences.append(f"Training: {_shared(shown, 'training') or 'see the notes'}")
    if bold and len(shown) > 1:
        sentences.append("Bold: the best measured value of a column")
    return sentences


def _row(table: Table, entry: Entry, shown: Sequence[Group]) -> Row:
    marks, group = [], entry.group
    source = ""
    if entry.published is not None:
        source = f"{entry.published.source}. {entry.published.note}".strip()
        marks += ["*"] * entry.published.bert + [table.mark(source, letter=False)]
    if group is not None:
        marks += [table.mark(note, letter=True) for note in _remarks(group, shown)]
    runs = () if group is None else group.runs
    row = entry.published
    printed = {} if row is None else {"Entity": row.entity_f1, "Relation": row.relation_f1}
    measured = {}
    if group is not None:
        measured = {"Entity": group.entity, "Relation": group.relation, "Overall": group.overall}
    cells = [
        published_cell(printed.get(column.group), source)
        if column.head == PUBLISHED
        else measured_cell(measured.get(column.group or column.head), runs)
        for column in table.columns[:-1]
    ]
    count = Cell(str(len(runs)) if runs else "", runs=runs)
    return Row(entry.title, tuple(marks), (*cells, count), entry.experiment)


def _remarks(group: Group, shown: Sequence[Group]) -> list[str]:
    """What the caption cannot say of all rows."""
    remarks = []
    if not _shared(shown, "inputs_title"):
        remarks.append(f"Inputs: {group.first.inputs_title}.")
    if group.first.training and not _shared(shown, "training"):
        remarks.append(f"Training: {group.first.training}.")
    if not _shared(shown, "protocol"):
        remarks.append(f"Protocol: {group.first.protocol}.")
    if len({other.spread for other in shown}) > 1 and group.spread:
        remarks.append(f"{_capital(group.spread)}.")
    if not _shared(shown, "division") and group.first.division:
        remarks.append(f"Division: {group.first.division}.")
    return remarks


def _placed(
    groups: Sequence[Group], definitions: Sequence[PublishedTable], absent: Sequence[str]
) -> list[tuple[PublishedTable, str]]:
    """Return (table, corpus) in the order of printing: the paper's tables first, then one for each other corpus.

    A corpus belongs to a paper's tables by its name, its variants such as `conll04-sample` too; real ones come first.
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


def write_tables(
    run_folders: list[Path],
    published_file: Path,
    tex: Path,
    csv: Path,
    absent: Sequence[str] = (),
    json: Path | None = None,
    decoding: Path | None = None,
    corpora: Path | None = None,
) -> None:
    """Write the tables of the given runs as LaTeX, CSV and JSON, each atomically.

    Args:
        absent: corpora of the paper that could not be had; their tables show dashes.
        json: what stands behind each cell; beside the LaTeX file by default.
        decoding: decoding times (`cman speed decoding`) for Table V.
        corpora: the folder of prepared corpora; where a run's is there, its scores are made again and compared.

    Raises:
        CmanError: no run is given; a run, the published file or the times are malformed; runs of one row do not belong
            together; or a run's predictions cannot be those that its scores were made from.
    """
    if not run_folders and not absent:
        raise CmanError("no run was given; wanted at least one run folder to make tables from")
    runs = [read_run(folder) for folder in run_folders]
    for run in runs:
        check_counts(run)
        if corpora is not None and (corpora / run.corpus / run.split / "test.jsonl").is_file():
            read_predicted([run], corpora)
    groups = group_runs(runs)
    published = read_published(published_file)
    times = [] if decoding is None else read_decoding(decoding)
    published_corpora = list(dict.fromkeys(definition.corpus for definition in published.tables))
    for name in set(absent).difference(published_corpora):
        log.info("%s: has neither runs nor published figures, and so no table", name)
    missing = [name for name in published_corpora if name in absent]
    tables, lines, seen = [], [], set[str]()
    for definition, corpus in _placed(groups, published.tables, missing):
        members = [group for group in groups if group.first.corpus == corpus]
        table = build_table(definition, members, first=corpus not in seen)
        if any(row.cells for row in table.rows):
            tables.append(table)
            lines += csv_rows(definition, members, first=corpus not in seen)
        seen.add(corpus)
    for group in groups:
        if not any(row.experiment == group.first.experiment for table in tables if table.corpus == group.first.corpus
                   for row in table.rows):  # fmt: skip
            log.info("%s on %s: in no table of the paper", group.first.experiment, group.first.corpus)
    tables += decoding_tables(published, groups, missing, times)
    tables.sort(key=lambda table: table.position or 99)  # stable: a corpus and its sample keep their order
    write_text(tex, render(tables))
    with atomic_text(csv) as stream:
        writer = DictWriter(stream, CSV_HEADER, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    write_json(json or tex.with_suffix(".json"), [table.to_json() for table in tables])
