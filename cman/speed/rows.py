"""The rows of `kernels.csv`: one an operation, shape, number of threads and contender, whatever became of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cman.files import write_csv

TIMED, MISSING, SKIPPED, FAILED = "timed", "missing", "skipped", "failed"


@dataclass
class SpeedRow:
    """What one contender did; empty where nothing was measured.

    `ratio` is this contender's median over ours in the same rounds; `parity` the largest difference from the float64
    definition as a share of what is tolerated; `peak_mb` what one call lifts the peak of memory by, in MiB. CPU time is
    that of all threads of the process.
    """

    operation: str
    shape: str
    threads: int
    contender: str
    version: str
    status: str = TIMED
    median_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    rounds: int | None = None
    calls: int | None = None  # a round
    rate: float | None = None
    unit: str = ""
    ratio: float | None = None
    parity: float | None = None
    peak_mb: float | None = None
    note: str = ""
    backend: str = ""
    device: str = ""
    processor: str = ""
    torch: str = ""
    lengths: str = ""
    seed: int = 0
    cpu_median_ms: float | None = None
    cpu_min_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    cold_ms: float | None = None  # the median of calls right after another contender's; median_ms is of warm ones
    busy: str = ""  # yes: the wall's time is more than the CPU's, so other processes had the cores

    def remark(self, text: str) -> None:
        """Add to the note."""
        self.note = f"{self.note}; {text}" if self.note else text


COLUMNS = tuple(field.name for field in fields(SpeedRow))


def write_rows(path: Path, rows: Iterable[SpeedRow]) -> None:
    """Write rows as CSV, atomically; numbers with six digits, nothing where nothing was measured."""
    write_csv(path, COLUMNS, map(asdict, rows))
