"""Table V: overall F1 and decoding time of the models of a corpus, relative to the multi-head baseline.

The times are those of `cman speed decoding`: all models of a corpus decode the same documents at one batch size in
turns within one process. With cached features the contextual encoder's cost is left out; computed features have it. The
paper does not say which of the two it prints.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cman.errors import CmanError
from cman.files import read_text
from cman.report.printed import Cell, Column, Row, Table, fixed, measured_cell, published_cell, with_best
from cman.report.published import Published, PublishedDecoding
from cman.report.results import Group

NEEDED = ("corpus", "experiment", "device", "processor", "threads", "kernels", "contextual", "batch_size",
          "sentences_per_second", "relative_time", "note")  # fmt: skip
BOTH = ("compiled", "reference")  # where there are no kernels, the encoder's cost was timed without them
ADDED = "multihead-contextual"  # the baseline with CMAN's inputs, which the paper does not have


@dataclass(frozen=True)
class Time:
    """One line of the CSV; figures are None where the line says why there are none."""

    line: str  # file and number, to be found again
    corpus: str
    experiment: str
    device: str
    processor: str
    threads: str
    kernels: str
    contextual: str
    batch_size: str
    rate: float | None
    relative: float | None


def read_decoding(path: Path) -> list[Time]:
    """Return the decoding times of a CSV.

    Raises:
        CmanError: the file is missing, lacks a column, or a figure is no number.
    """
    rows = csv.DictReader(io.StringIO(read_text(path)))
    for name in NEEDED:
        if name not in (rows.fieldnames or ()):
            raise CmanError(f"{path}: line 1: found no column {name}, wanted the times of `cman speed decoding`")
    times = []
    for number, row in enumerate(rows, start=2):
        figures = {}
        for name in ("sentences_per_second", "relative_time"):
            try:
                figures[name] = float(row[name]) if row[name] else None
            except ValueError:
                where = f"{path}: line {number}: field {name}"
                raise CmanError(f"{where}: found {row[name]!r}, wanted a number or nothing") from None
        texts = {name: row[name] for name in NEEDED[:8]}
        times.append(Time(f"{path}: line {number}", **texts, rate=figures["sentences_per_second"],
                          relative=figures["relative_time"]))  # fmt: skip
    return times


def decoding_tables(
    published: Published, groups: Sequence[Group], absent: Sequence[str], times: Sequence[Time]
) -> list[Table]:
    """Return Table V of the real corpora and Table V of the sample corpora, as far as there are runs of any."""
    known = {group.first.corpus for group in groups}
    corpora = list(dict.fromkeys(row.corpus for row in published.decoding))
    real = [corpus for corpus in corpora if corpus in known or corpus in absent]
    samples = [f"{corpus}-sample" for corpus in corpora if f"{corpus}-sample" in known]
    return [
        _table(published, shown, groups, times, sample)
        for shown, sample in ((real, False), (samples, True))
        if shown and any(row.experiment in _experiments(groups, shown) for row in published.decoding)
    ]


def _experiments(groups: Sequence[Group], corpora: Sequence[str]) -> set[str]:
    return {group.first.experiment for group in groups if group.first.corpus in corpora}


def _table(
    published: Published, corpora: Sequence[str], groups: Sequence[Group], times: Sequence[Time], sample: bool
) -> Table:
    columns = (
        *(() if sample else (Column("Overall F1", "published"),)),
        Column("Overall F1", "" if sample else "measured", spread=True),
        *(() if sample else (Column("Relative time", "publ."),)),
        Column("Relative time", "cached"),
        Column("Relative time", "in all"),
        Column("Relative time", "GPU"),
        Column("Sentences a second", "kernels"),
        Column("Sentences a second", "PyTorch"),
        Column("Sentences a second", "in all"),
        Column("Sentences a second", "GPU"),
    )
    table = Table("V", "samples" if sample else "corpora", "Decoding", columns)
    table.sentences = _caption(published, corpora, times, sample)
    for corpus in corpora:
        table.rows += _rows(table, published, corpus, groups, times)
    return table


def _caption(published: Published, corpora: Sequence[str], times: Sequence[Time], sample: bool) -> list[str]:
    origin = f"Table V of {published.origin}"
    opening = f"Decoding, generated sample corpora, in the layout of {origin}"
    if not sample:
        opening = f"Decoding, beside the figures published in {origin}"
    overall = "Overall F1 is the mean of strict micro entity and relation F1 in percent, over seeds or folds"
    timed = [time for time in times if time.corpus in corpora and time.device == "cpu" and time.rate is not None]
    if not timed:
        return [opening, overall, "Decoding was not timed"]
    first = timed[0]
    return [
        opening,
        overall,
        f"Times of one interleaved run on the test documents, batches of {first.batch_size} sentences, {first.threads} "
        f"thread{'s' * (first.threads != '1')} of {first.processor}",
        "Relative time is to Multi-head + AT of the corpus, with our kernels; above 1 is slower",
        "Cached: without the cost of the contextual encoder; in all: with it",
        "Kernels and PyTorch: cached, with our kernels and in plain PyTorch",
    ]


def _rows(table: Table, published: Published, corpus: str, groups: Sequence[Group], times: Sequence[Time]) -> list[Row]:
    by_name = {group.first.experiment: group for group in groups if group.first.corpus == corpus}
    printed = [row for row in published.decoding if row.corpus == corpus.removesuffix("-sample")]
    sample = corpus.endswith("-sample")
    title = next(iter(by_name.values())).first.corpus_title if by_name else printed[0].title
    rows = [Row(title)]
    for row in printed:
        if not sample or row.experiment in by_name:
            group = by_name.get(row.experiment)
            name = group.first.title if sample and group is not None else row.method
            rows.append(_row(table, None if sample else row, name, corpus, row.experiment, group, times))
    if ADDED in by_name:
        group = by_name[ADDED]
        rows.append(_row(table, None, group.first.title, corpus, ADDED, group, times))
    return [rows[0], *with_best(table.columns, rows[1:])]


def _row(
    table: Table,
    row: PublishedDecoding | None,
    title: str,
    corpus: str,
    experiment: str,
    group: Group | None,
    times: Sequence[Time],
) -> Row:
    def time(*contextual: str, device: str = "cpu", kernels: tuple[str, ...] = ("compiled",)) -> Time | None:
        wanted = [t for t in times if (t.corpus, t.experiment, t.device) == (corpus, experiment, device)]
        timed = [t for t in wanted if t.rate is not None]  # where there are no kernels, those lines have no figures
        return next((t for t in timed if t.kernels in kernels and t.contextual in contextual), None)

    def relative(found: Time | None) -> Cell:
        return Cell(fixed(found.relative), source=found.line) if found and found.relative is not None else Cell()

    def rate(found: Time | None) -> Cell:
        return Cell(fixed(found.rate, 0), source=found.line) if found and found.rate is not None else Cell()

    source = "" if row is None else f"the paper's Table V{'; ' * bool(row.note)}{row.note}"
    marks = [table.mark(row.note, letter=False)] if row is not None and row.note else []
    measured = measured_cell(None if group is None else group.overall, () if group is None else group.runs)
    cached, whole, gpu = (
        time("none", "cached"),
        time("none", "computed", kernels=BOTH),
        time("none", "cached", device="cuda"),
    )
    published = {
        "published": published_cell(row.overall_f1 if row else None, source),
        "publ.": published_cell(row.relative_time if row else None, source),
    }
    figures = {
        ("Relative time", "cached"): relative(cached),
        ("Relative time", "in all"): relative(whole),
        ("Relative time", "GPU"): relative(gpu),
        ("Sentences a second", "kernels"): rate(cached),
        ("Sentences a second", "PyTorch"): rate(time("none", "cached", kernels=("reference",))),
        ("Sentences a second", "in all"): rate(whole),
        ("Sentences a second", "GPU"): rate(gpu),
    }
    cells = tuple(
        measured if column.spread else published.get(column.head) or figures[column.group, column.head]
        for column in table.columns
    )
    return Row(title, tuple(marks), cells, experiment)
