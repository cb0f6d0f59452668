"""What the benchmark prints: a table a shape and number of threads on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cman.speed.operations import OPERATIONS
from cman.speed.rows import TIMED, SpeedRow

HEADINGS = ("operation", "contender", "median ms", "min..max", "rate", "ratio", "MiB", "note")
TEXTS = ("operation", "contender", "note")  # to the left and broken into lines; numbers stand to the right


class Screen:
    """Standard output: with tables and a line that says what is being done on a terminal, else plain lines."""

    def __init__(self) -> None:
        self._console = Console() if sys.stdout.isatty() else None
        # Drawn when the text changes and never by itself: an animation would run beside what is timed.
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if self._console else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def doing(self, text: str) -> None:
        """Say what is being done, until the next word."""
        if self._live is not None:
            self._live.update(text, refresh=True)

    def line(self, text: str) -> None:
        """Print one line at once, also into a pipe."""
        if self._console is None:
            print(text, flush=True)
        else:
            self._console.print(text, markup=False, highlight=False)

    def table(self, title: str, rows: Sequence[SpeedRow]) -> None:
        """Print rows below a title."""
        if self._console is not None:
            self._console.print(_table(title, rows))
            return
        self.line(title)
        for row in rows:
            self.line(f"  {plain(row)}")


def plain(row: SpeedRow) -> str:
    """Return a row as one line."""
    operation, contender, median, spread, rate, ratio, memory, note = cells(row)
    if row.status != TIMED:
        return f"{operation}, {contender}: {note}"
    words = [f"{median} ms {spread}", rate, f"ratio {ratio}", "" if memory == "-" else f"{memory} MiB", note]
    return f"{operation}, {contender}: " + ", ".join(word for word in words if word)


def cells(row: SpeedRow) -> tuple[str, ...]:
    """Return the cells of a row below `HEADINGS`; a dash where nothing was measured."""
    unknown = row.min_ms is None or row.max_ms is None
    return (
        OPERATIONS[row.operation].title,
        row.contender,
        digits(row.median_ms) + " busy" * bool(row.busy),
        "-" if unknown else f"[{digits(row.min_ms)}..{digits(row.max_ms)}]",
        "-" if row.rate is None else f"{digits(row.rate)} {row.unit}",
        "-" if row.ratio is None else f"{digits(row.ratio)}x",
        digits(row.peak_mb),
        row.note if row.status == TIMED else f"{row.status}: {row.note}",
    )


def digits(value: float | None) -> str:
    """Return three significant digits, without an exponent; a dash for nothing."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 or value == 0 else f"{value:.5f}"


def _table(title: str, rows: Sequence[SpeedRow]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in TEXTS else "right", no_wrap=heading not in TEXTS)
    before = ""
    for row in rows:
        operation, *others = cells(row)
        if before and row.operation != before:
            table.add_section()
        style = "bold" if row.contender == "cman" else None if row.status == TIMED else "dim"
        table.add_row("" if row.operation == before else operation, *others, style=style)
        before = row.operation
    return table
