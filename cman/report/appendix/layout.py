"""Sections, printed tables and figures of the appendix: what its modules make and its template and files are made of.

A `Figure` is one measured value with the runs behind it: a line of the CSV and an entry of the JSON. A `Printed` table
shows some of them. Widths are estimated here, in millimetres, because LaTeX cannot give a title column what the other
columns leave; a title that is longer wraps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cman.report.printed import fixed
from cman.report.results import Run, Summary

WIDTH = 160.0  # of a table, in millimetres
LEAST = 40.0  # for titles that need so much, before the type becomes smaller
MOST_ROWS = 42  # of a table on one page
DIGIT = 1.52, 1.43  # width of a digit in millimetres, in footnote size and in the next smaller one
GAP = 2.15, 1.4  # between columns
GROUP_GAP = 2.0, 1.2  # more of it before a group of columns
DEVIATION = 2.2  # what a plus-minus takes, in digits
WIDTHS = {".": 0.55, ",": 0.55, "+": 1.55, "-": 1.55, "<": 1.55, " ": 0.65}  # of signs, in digits


@dataclass(frozen=True)
class Figure:
    """One value; `reference` is the experiment that it is a difference from, `item` what it is a value of."""

    section: str
    corpus: str
    experiment: str
    item: str
    name: str
    value: float | int | None
    runs: tuple[Run, ...]
    task: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Cell:
    """One printed figure; an empty text prints as a dash. Texts come formatted; `sd` stands behind a plus-minus."""

    text: str = ""
    sd: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Row:
    """One printed row. Without cells it is a heading within the table, set in italics under a rule."""

    title: str
    cells: tuple[Cell, ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class Note:
    """A remark below a table, with the mark of the rows that it is about."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading over some columns."""

    title: str
    columns: int = 1


@dataclass(frozen=True)
class Printed:
    """A printed table: `heads` has a line of headings over groups of columns, or none, and one over each column.

    `spread` says for each column whether its cells have a deviation.
    """

    name: str
    caption: str
    stub: str
    groups: tuple[Heading, ...]
    heads: tuple[str, ...]
    spread: tuple[bool, ...]
    rows: tuple[Row, ...]
    notes: tuple[Note, ...] = ()
    continued: bool = False

    @property
    def small(self) -> bool:
        """Whether the figures leave titles so little width that the table needs smaller type."""
        return min(self._needed(small=False), LEAST) > WIDTH - self._taken(small=False)

    def span(self, column: int, columns: int = 1) -> int:
        """Return how many of LaTeX's columns some columns take."""
        return sum(2 if spread else 1 for spread in self.spread[column : column + columns])

    @property
    def latex_columns(self) -> int:
        """How many columns the table has in LaTeX, where a spread takes two."""
        return 1 + self.span(0, len(self.heads))

    @property
    def group_starts(self) -> set[int]:
        """The columns that a group begins with: they stand further from the one before."""
        starts, place = set(), 0
        for heading in self.groups:
            starts.add(place)
            place += heading.columns
        return starts

    @property
    def group_spans(self) -> list[tuple[str, int, int, int]]:
        """Each heading over a group: its title, the columns it takes in LaTeX, the first and the last of them."""
        spans, place, latex = [], 0, 2
        for heading in self.groups:
            width = self.span(place, heading.columns)
            spans.append((heading.title, width, latex, latex + width - 1))
            place, latex = place + heading.columns, latex + width
        return spans

    @property
    def title_width(self) -> float:
        """The width of the title column in millimetres: what its texts need, or what the figures leave of it."""
        return round(max(20.0, min(self._needed(self.small), WIDTH - self._taken(self.small))), 1)

    def _taken(self, small: bool) -> float:
        taken = GROUP_GAP[small] * len(self.group_starts) + 1.5
        for column, head in enumerate(self.heads):
            cells = [row.cells[column] for row in self.rows if row.cells]
            text = max((_width(cell.text) for cell in cells), default=0.0)
            sd = max((_width(cell.sd) + DEVIATION for cell in cells if cell.sd), default=0.0)
            taken += GAP[small] + DIGIT[small] * max(text + sd, _width(head))
        return taken

    def _needed(self, small: bool) -> float:
        titles = (self.stub, *(row.title + row.mark for row in self.rows if row.cells))
        return 1.05 * DIGIT[small] * max(_width(text) for text in titles) + 1

    @property
    def pieces(self) -> list["Printed"]:
        """The table in pieces that fit on a page each."""
        starts = range(0, len(self.rows), MOST_ROWS)
        return [replace(self, rows=self.rows[at : at + MOST_ROWS], continued=at > 0) for at in starts]


@dataclass
class Section:
    """A section about one corpus. Without figures it says that nothing ran."""

    name: str
    title: str
    corpus: str
    text: tuple[str, ...] = ()
    sentences: list[str] = field(default_factory=list)  # generated from the figures, printed as a list
    tables: list[Printed] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    absent: str = "Nothing ran that this section is about."

    def add(
        self,
        experiment: str,
        item: str,
        name: str,
        value: float | int | None,
        runs: Sequence[Run],
        task: str = "",
        reference: str = "",
    ) -> None:
        """Add a figure of this section's corpus."""
        self.figures.append(Figure(self.name, self.corpus, experiment, item, name, value, tuple(runs), task, reference))

    def spread(self, experiment: str, item: str, name: str, value: Summary, runs: Sequence[Run], task: str) -> None:
        """Add a mean and its deviation."""
        self.add(experiment, item, name, value.mean, runs, task)
        self.add(experiment, item, f"{name}_sd", value.sd, runs, task)


def _width(text: str) -> float:
    """Return about how wide a text is, in digits; other letters are as wide as a digit on average."""
    return sum(WIDTHS.get(sign, 1.0) for sign in text)


def percent(value: float | None) -> str:
    """Return a figure with two decimals; empty for a missing one."""
    return fixed(value).removeprefix("-") if value is not None and abs(value) < 0.005 else fixed(value)


def signed(value: float | None) -> str:
    """Return a difference with its sign and two decimals; nothing has a sign where it rounds to 0."""
    text = percent(value)
    return f"+{text}" if value is not None and value > 0 and float(text) else text


def counted(value: float, *, whole: bool) -> str:
    """Return a count, with one decimal where it is a mean over seeds."""
    return f"{value:.0f}" if whole else f"{value:.1f}"


def spoken(value: float) -> str:
    """Return a signed difference for a sentence, where a hyphen would not do for a minus."""
    return signed(value).replace("-", "−")


def probability(p: float | None) -> str:
    """Return p with three decimals, and small ones as a bound."""
    if p is None:
        return ""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1.000"
