"""Table V: overall F1 and decoding time of the models of a corpus, relative to the multi-head baseline.

The times are those of `cman speed decoding`: all models of a corpus decode the same documents at one batch size in
turns within one process. With cached features the contextual encoder's cost is left out; computed features have it. The
paper does not say which of the two it prints.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cman.errors import CmanError, reads
from cman.files import read_text
from cman.report.evidence import Evidence
from cman.report.frame import MICRO, fixed
from cman.report.published import NUMBERS, Published, PublishedDecoding
from cman.report.results import Group
from cman.report.table import Cell, Column, Row, Table, measured, published

NEEDED = ("corpus", "experiment", "device", "processor", "threads", "kernels", "contextual", "batch_size",
          "sentences_per_second", "relative_time", "note")  # fmt: skip
BOTH = ("compiled", "reference")  # where there are no kernels, the encoder's cost was timed without them
# The baseline with CMAN's inputs, and in its sizes too: rows that the paper does not have.
ADDED = ("multihead-contextual", "multihead-matched")
USUAL = "pytorch-crf"  # and a table of all relation scores
BUSY = "Busy: other processes had the cores for part of the time"


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
    busy: bool = False
    sentences: str = ""  # how many were decoded; not in CSVs of before


@reads("decoding times")
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
        figures: dict[str, float | None] = {}
        for name in ("sentences_per_second", "relative_time"):
            try:
                figure = float(row[name]) if row[name] else None
                if figure is not None and not 0 <= figure < math.inf:
                    raise ValueError
                figures[name] = figure
            except ValueError:
                where = f"{path}: line {number}: field {name}"
                raise CmanError(f"{where}: found {row[name]!r}, wanted a number or nothing") from None
        texts = {name: row[name] for name in NEEDED[:8]}
        times.append(Time(f"{path}: line {number}", **texts, rate=figures["sentences_per_second"],
                          relative=figures["relative_time"], busy=bool(row.get("busy")),
                          sentences=row.get("sentences") or ""))  # fmt: skip
    return times


def decoding_tables(
    known: Published, evidence: Sequence[Evidence], absent: Sequence[str], times: Sequence[Time]
) -> list[tuple[str, Table]]:
    """Return Table V of the real corpora and Table V of the sample corpora, as far as there are runs of any."""
    if known.decoding is None:
        return []
    rows, by_name = known.decoding.rows, {found.corpus: found for found in evidence}
    corpora = list(dict.fromkeys(row.corpus for row in rows))
    real = [corpus for corpus in corpora if corpus in by_name or corpus in absent]
    samples = [f"{corpus}-sample" for corpus in corpora if f"{corpus}-sample" in by_name]
    decoded = {row.experiment for row in rows}
    return [
        (name, _table(name, known, shown, by_name, times))
        for shown, name in ((real, "corpora"), (samples, "samples"))
        if any(corpus in by_name and decoded & by_name[corpus].groups.keys() for corpus in shown)
    ]


def _columns(sample: bool, times: Sequence[Time]) -> tuple[Column, ...]:
    """Return the columns; those of a GPU and of pytorch-crf only where there are times of such."""
    overall, relative, rate = "Overall F1", "Relative time", "Sentences a second"
    timed = [time for time in times if time.rate is not None]
    gpu = ("GPU",) if any(time.device == "cuda" for time in timed) else ()
    usual = (USUAL,) if any(time.kernels == USUAL for time in timed) else ()
    return (
        *(() if sample else (Column("publ.", overall, name="published"),)),
        Column("" if sample else "measured", overall),
        *(() if sample else (Column("publ.", relative),)),
        *(Column(head, relative) for head in ("cached", "in all", *gpu)),
        *(Column(head, rate) for head in ("kernels", "PyTorch", *usual, "in all", *gpu)),
    )


def _table(
    name: str, known: Published, corpora: Sequence[str], by_name: dict[str, Evidence], times: Sequence[Time]
) -> Table:
    assert known.decoding is not None
    sample = name == "samples"
    own = [time for time in times if time.corpus in corpora]
    table = Table(f"V-{name}", _columns(sample, own), number=NUMBERS.index("V") + 1)
    table.caption = _caption(known.decoding.origin, corpora, times, sample)
    for corpus in corpora:
        table.rows += _rows(table, known.decoding.rows, corpus, by_name.get(corpus), times)
    if any(not cell.text for row in table.rows for cell in row.cells):
        table.remark("A dash: not published as a decoding time, not run here, or not timed on such a machine.")
    return table


def _caption(source: str, corpora: Sequence[str], times: Sequence[Time], sample: bool) -> list[str]:
    origin = f"Table V of {source}"
    opening = f"Decoding, generated sample corpora, in the layout of {origin}"
    if not sample:
        opening = f"Decoding, beside the figures published in {origin}"
    overall = "Overall F1 is the mean of strict micro entity and relation F1 in percent, over seeds or folds"
    timed = [time for time in times if time.corpus in corpora and time.device == "cpu" and time.rate is not None]
    if not timed:
        return [opening, overall, "Decoding was not timed"]
    first = timed[0]
    counts = " and ".join(dict.fromkeys(time.sentences for time in timed if time.sentences))
    return [
        opening,
        overall,
        f"Times of one interleaved run on {counts or 'the'} test documents, batches of {first.batch_size} "
        f"sentences, {first.threads} thread{'s' * (first.threads != '1')} of {first.processor}",
        "Relative time is to Multi-head + AT of the corpus, with our kernels; above 1 is slower",
        "Cached: without the cost of the contextual encoder; in all: with it",
        "Kernels and PyTorch: cached, with our kernels and in plain PyTorch",
        *(
            ["pytorch-crf: cached, as its user has it, with a table of all relation scores"]
            if any(time.kernels == USUAL for time in timed)
            else []
        ),
    ]


def _rows(
    table: Table,
    decoded: Sequence[PublishedDecoding],
    corpus: str,
    evidence: Evidence | None,
    times: Sequence[Time],
) -> Iterator[Row]:
    rows = [row for row in decoded if row.corpus == corpus.removesuffix("-sample")]
    groups = evidence.groups if evidence else {}
    sample = evidence is not None and evidence.sample
    yield Row(evidence.title if evidence else rows[0].title)
    shown: list[tuple[str, PublishedDecoding | None, Group | None]] = [
        (row.experiment, None if sample else row, groups.get(row.experiment)) for row in rows
    ]
    shown += [(name, None, groups[name]) for name in ADDED if name in groups]
    for experiment, row, group in shown:
        if row is not None or group is not None:
            title = row.method if row else group.first.title if group else experiment
            own = [time for time in times if (time.corpus, time.experiment) == (corpus, experiment)]
            figures = _times(own)
            source = "" if row is None else f"the paper's Table V{'; ' * bool(row.note)}{row.note}"
            figures["Overall F1", "publ."] = published(row.overall_f1 if row else None, source)
            figures["Relative time", "publ."] = published(row.relative_time if row else None, source)
            overall = evidence.strict(experiment)["overall", MICRO] if evidence and group else None
            figures["Overall F1", "" if sample else "measured"] = measured(overall)
            notes = [row.note] if row and row.note else []
            notes += [BUSY] if any(time.busy for time in own) else []
            marks = tuple(table.mark(note) for note in notes)
            cells = tuple(figures[column.group, column.head] for column in table.columns)
            yield Row(title, cells, marks, experiment, group is not None and group.seeds == 1)


def _times(times: Sequence[Time]) -> dict[tuple[str, str], Cell]:
    """Return the cells of one model's times."""

    def find(*contextual: str, device: str = "cpu", kernels: tuple[str, ...] = ("compiled",)) -> Time | None:
        # Where there are no kernels, those lines have no figures.
        timed = [time for time in times if time.device == device and time.rate is not None]
        return next((t for t in timed if t.kernels in kernels and t.contextual in contextual), None)

    def relative(found: Time | None) -> Cell:
        return Cell(fixed(found.relative), source=found.line) if found and found.relative is not None else Cell()

    def rate(found: Time | None) -> Cell:
        return Cell(fixed(found.rate, 0), source=found.line) if found else Cell()

    cached, gpu = find("none", "cached"), find("none", "cached", device="cuda")
    plain, whole = find("none", "cached", kernels=("reference",)), find("none", "computed", kernels=BOTH)
    usual = find("none", "cached", kernels=(USUAL,))
    return {
        **{("Relative time", head): relative(time) for head, time in
           (("cached", cached), ("in all", whole), ("GPU", gpu))},
        **{("Sentences a second", head): rate(time) for head, time in
           (("kernels", cached), ("PyTorch", plain), (USUAL, usual), ("in all", whole), ("GPU", gpu))},
    }  # fmt: skip
