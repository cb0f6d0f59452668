"""`decoding.csv`: a row for each model, features, backend and device; figures are empty where a note says why."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cman.files import write_csv

WIDTH = 140  # of what is printed into a pipe


@dataclass
class DecodingRow:
    """One line of the CSV; seconds are of one pass over all documents."""

    corpus: str
    experiment: str
    title: str
    seed: int
    split: str
    device: str
    processor: str
    threads: int
    kernels: str
    contextual: str
    batch_size: int
    sentences: int
    tokens: int
    rounds: int | None = None
    seconds_median: float | None = None
    seconds_min: float | None = None
    seconds_max: float | None = None
    sentences_per_second: float | None = None
    relative_time: float | None = None
    torch: str = ""
    note: str = ""
    cpu_seconds_median: float | None = None
    cpu_seconds_min: float | None = None
    seconds_q1: float | None = None
    seconds_q3: float | None = None
    confidences: str = ""  # on or off: whether the entities' scores are computed
    shares: str = ""  # where the CPU's time goes, such as `LSTMs 0.412; products 0.21`
    busy: str = ""  # yes: the wall's time is more than the CPU's, so other processes had the cores


HEADER = tuple(each.name for each in fields(DecodingRow))


def write_rows(path: Path, rows: Sequence[DecodingRow]) -> None:
    """Write the CSV, atomically."""
    write_csv(path, HEADER, map(asdict, rows))


def print_rows(title: str, rows: Sequence[DecodingRow]) -> None:
    """Print a table, in a pipe as wide as it needs to be; where nothing was timed, one line that says why."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    notes = {row.note for row in rows}
    if len(notes) == 1 and notes != {""}:
        console.print(f"{title}: {notes.pop()}", highlight=False)
        return
    table = Table(title=title, title_justify="left")
    for heading in ("experiment", "features", "kernels", "sentences/s", "seconds", "of CPU", "relative time", "note"):
        table.add_column(
            heading, justify="right" if heading in ("sentences/s", "seconds", "of CPU", "relative time") else "left"
        )
    for row in rows:
        figures = ["-"] * 4
        if row.seconds_median is not None:
            figures[:2] = [f"{row.sentences_per_second:.0f}", f"{row.seconds_median:.3f}"]
            if row.seconds_q1 is not None and row.seconds_q3 is not None:
                figures[1] += f" [{row.seconds_q1:.3f}..{row.seconds_q3:.3f}]"
        if row.cpu_seconds_median is not None:
            figures[2] = f"{row.cpu_seconds_median:.3f}{' busy' * bool(row.busy)}"
        if row.relative_time is not None:
            figures[3] = f"{row.relative_time:.2f}x"
        table.add_row(row.experiment, row.contextual, row.kernels, *figures, row.note)
    console.print(table)
