"""One table of the paper: its rows, published and measured, what they share, and how that is printed and listed.

A sample corpus never stands beside published figures. Below a measured row stands its difference from the full model,
on the seeds that both have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cman.config.experiments import EXPERIMENTS
from cman.evaluation.sentences import TASKS
from cman.report.evidence import Comparison, Evidence
from cman.report.frame import MACRO, MICRO, exact, fixed
from cman.report.published import NUMBERS, PublishedRow, PublishedTable
from cman.report.results import RANKED, Group
from cman.report.table import Cell, Column, Row, Table, measured, published

REFERENCE = "cman"
HEADS = dict(zip(TASKS, ("Entity", "Relation", "Overall"), strict=True))
CSV = (
    *("table", "corpus", "experiment", "title", "source"),
    *(f"{head.lower()}_{figure}" for head in HEADS.values() for figure in ("f1", "sd")),
    *(
        "entity_macro_f1",
        "relation_macro_f1",
        *(f"relation_{figure}" for figure in RANKED),
        "runs",
        "seeds",
        "inputs",
        "epochs",
        "protocol",
        "reference",
        "pairs",
    ),
    *(f"{head.lower()}_{figure}" for head in HEADS.values() for figure in ("difference", "low", "high", "p", "p_holm")),
    "note",
)


@dataclass(frozen=True)
class Line:
    """One row of a table before it is printed: a published side, a measured side, or both.

    `repeated` tells whether the row is to have measured figures, which are dashes where nothing ran.
    """

    title: str
    experiment: str
    published: PublishedRow | None
    group: Group | None

    @property
    def repeated(self) -> bool:
        """Whether an experiment here repeats the row."""
        return self.published is None or bool(self.experiment)


def lines_of(table: PublishedTable, groups: dict[str, Group], first: bool) -> tuple[list[Line], list[Line]]:
    """Return the paper's rows and the added ones of a table of one corpus.

    Args:
        groups: of this corpus by experiment; none for a corpus that could not be had.
        first: whether this is the corpus's first table, which also shows experiments of a user's own.
    """
    sample = any(group.first.sample for group in groups.values())

    def line(row: PublishedRow) -> Line:
        group = groups.get(row.experiment)
        # A sample corpus has nothing to do with what was published.
        return Line(
            group.first.title if sample and group else row.method, row.experiment, None if sample else row, group
        )

    # It has no row for what did not run on it, either.
    rows = [row for row in table.rows if not sample or row.experiment in groups]
    paper, added = ([line(row) for row in rows if row.added == apart] for apart in (False, True))
    shown = {line.experiment for line in (*paper, *added)}
    names = [name for name in table.added if (name in groups or not sample) and name not in shown]
    if first:
        names += sorted(name for name in groups if name not in EXPERIMENTS or not table.number)
    own = [Line(groups[name].first.title if name in groups else EXPERIMENTS[name].title, name, None, groups.get(name))
           for name in names]  # fmt: skip
    return paper, added + own


class PaperTable:
    """One table in the making: what its rows share decides its columns and its caption."""

    def __init__(self, definition: PublishedTable, evidence: Evidence | None, first: bool) -> None:
        self.definition, self.evidence = definition, evidence
        self.groups = dict(evidence.groups) if evidence else {}
        self.paper, self.added = lines_of(definition, self.groups, first)
        self.shown = [line.group for line in (*self.paper, *self.added) if line.group is not None]
        self.beside = bool(definition.rows) and not (evidence and evidence.sample)
        self.common = set.intersection(*map(_inputs, self.shown)) if self.shown else set()
        self.corpus = evidence.corpus if evidence else definition.corpus
        self.title = evidence.title if evidence else definition.title or definition.corpus
        self.columns = self._columns()

    @property
    def lines(self) -> list[Line]:
        """All rows."""
        return [*self.paper, *self.added]

    def comparison(self, line: Line) -> Comparison | None:
        """Return the difference of a row from the full model."""
        return self.evidence.comparisons.get((line.experiment, REFERENCE)) if self.evidence else None

    def _columns(self) -> tuple[Column, ...]:
        columns = [Column("Inputs", text=True)] if any(_inputs(group) - self.common for group in self.shown) else []
        if len({group.first.epochs for group in self.shown}) > 1:
            columns.append(Column("Ep.", name="Epochs"))
        for task, head in HEADS.items():
            if self.beside and task != "overall":  # the paper's tables have none
                columns.append(Column("publ.", head, name="published"))
            columns.append(Column("measured", head))
        return (*columns, Column("n"))

    def printed(self) -> Table:
        """Return the printed table."""
        number = NUMBERS.index(self.definition.number) + 1 if self.definition.number else 0
        table = Table(f"{self.definition.number}-{self.corpus}", self.columns, number=number)
        table.rows = [row for line in self.paper for row in self._rows(table, line)]
        if self.added:
            table.rows += [Row("Added here")] if self.paper else []
            table.rows += [row for line in self.added for row in self._rows(table, line)]
        table.caption = list(self._caption())
        if any("*" in row.marks for row in table.rows):
            table.remark("* The study uses BERT as its core model.")
        if self.definition.note:
            table.remark(self.definition.note)
        if any(not cell.text for row in table.rows for cell in row.cells):
            absent = self.definition.absent if not self.shown else ""
            why = f"nothing ran here: {absent}" if absent else "not run here"
            table.remark(f"A dash: {'not published, or ' if self.beside else ''}{why}, or not defined.")
        if note := _on_code(self.shown):
            table.remark(note)
        if any(row.grey for row in table.rows):
            table.remark("Grey: a single seed, which shows no spread over seeds.")
        if any(column.name == "Epochs" for column in self.columns):
            table.remark("Ep.: epochs of training.")
        return table

    def _caption(self) -> Iterator[str]:
        origin = f"Table {self.definition.number} of {self.definition.origin}" if self.definition.number else ""
        if self.evidence and self.evidence.sample:
            yield f"{self.title}, a generated sample corpus" + (f", in the layout of {origin}" if origin else "")
        else:
            yield self.title + (f", beside the figures published in {origin}" if origin else "")
        yield "Strict micro F1 in percent on the test split; overall is the mean of entity and relation F1"
        if not self.shown:
            yield "Nothing was measured" + (f": {self.definition.absent}" if self.definition.absent else "")
            return
        spreads = {group.spread for group in self.shown}
        if spreads == {""}:
            yield "Measured: mean ± sample standard deviation over seeds; n is the number of runs"
        elif len(spreads) == 1:
            yield f"Measured: {spreads.pop()}; n is the number of runs"
        else:
            yield "Measured: over folds, see the notes; n is the number of runs"
        for name in ("division", "protocol", "epochs", "training"):
            values = {getattr(group.first, name) for group in self.shown}
            if len(values) == 1 and (value := values.pop()):
                yield f"{name.capitalize()}: {value}"
        if self.common:
            names = [part for part in self.shown[0].first.inputs_title.split(", ") if part in self.common]
            yield f"Inputs of all measured rows: {', '.join(names)}"
        made = [found for line in self.lines if (found := self.comparison(line))]
        if made:
            yield from _on_differences(made)

    def _rows(self, table: Table, line: Line) -> Iterator[Row]:
        group, row = line.group, line.published
        marks: list[str] = []
        if row is not None:
            marks += ["*"] * row.bert + [table.mark(_source(row))]
        if group is not None:
            marks += [table.mark(note) for note in self._remarks(group)]
        summaries = self.evidence.strict(line.experiment) if self.evidence and group else {}
        printed = {"Entity": row.entity_f1, "Relation": row.relation_f1} if row else {}
        cells = {("", "n"): Cell(str(len(group.runs)) if group else "", runs=group.runs if group else ())}
        if group is not None:
            extra = [part for part in group.first.inputs_title.split(", ") if part not in self.common]
            cells["", "Inputs"] = Cell(", ".join(extra) or " ")
            # Where dev chose the epoch, the protocol among the remarks says so.
            cells["", "Ep."] = Cell(group.first.epochs.removeprefix("up to "))
        for task, head in HEADS.items():
            cells[head, "publ."] = published(printed.get(head), _source(row) if row else "")
            cells[head, "measured"] = measured(summaries.get((task, MICRO)))
        if not line.repeated:  # nothing here repeats it, so nothing of it is missing
            cells |= {(column.group, column.head): Cell(" ") for column in self.columns if column.head != "publ."}
        grey = group is not None and group.seeds == 1
        chosen = tuple(cells.get((column.group, column.head), Cell()) for column in self.columns)
        yield Row(line.title, chosen, tuple(marks), line.experiment, grey)
        if comparison := self.comparison(line):
            yield self._difference(comparison)

    def _difference(self, comparison: Comparison) -> Row:
        heads = {head: task for task, head in HEADS.items()}
        cells = tuple(
            comparison.cell(heads[column.group]) if column.head == "measured"
            else Cell(str(comparison.pairs)) if column.head == "n" else Cell(" ")
            for column in self.columns
        )  # fmt: skip
        title = f"minus {comparison.reference.first.title}"
        return Row(title, cells, (), comparison.names[0], comparison.seeds == 1, minor=True)

    def _remarks(self, group: Group) -> list[str]:
        """What the caption cannot say of all rows."""
        remarks = [
            f"{name.capitalize()}: {value}."
            for name in ("training", "protocol", "division")
            if (value := getattr(group.first, name)) and len({getattr(other.first, name) for other in self.shown}) > 1
        ]
        if len({other.spread for other in self.shown}) > 1 and group.spread:
            remarks.append(f"{group.spread[0].upper()}{group.spread[1:]}.")
        return remarks

    def csv(self) -> Iterator[dict[str, str]]:
        """Return a line for each published and for each measured row; a missing figure is empty."""
        place = {"table": self.definition.number, "corpus": self.corpus}
        for line in self.lines:
            if row := line.published:
                note = _source(row) + " BERT is the core model." * row.bert
                figures = {"entity_f1": fixed(row.entity_f1), "relation_f1": fixed(row.relation_f1)}
                named = {"experiment": row.experiment, "title": row.method, "source": "published", "note": note}
                yield place | named | figures
        for line in self.lines:
            if line.repeated:
                yield place | self._measured(line)

    def _measured(self, line: Line) -> dict[str, str]:
        group, found = line.group, {"experiment": line.experiment, "title": line.title, "source": "measured"}
        if group is None or self.evidence is None:
            return found | {"runs": "0"}
        run, summaries = group.first, self.evidence.strict(line.experiment)
        found |= {"title": run.title, "runs": str(len(group.runs)), "seeds": str(group.seeds)}
        found |= {"inputs": run.inputs_title, "epochs": run.epochs, "protocol": run.protocol}
        for task, head in HEADS.items():
            summary = summaries[task, MICRO]
            found |= {f"{head.lower()}_f1": fixed(summary.mean), f"{head.lower()}_sd": fixed(summary.sd)}
            if task != "overall":
                found[f"{head.lower()}_macro_f1"] = fixed(summaries[task, MACRO].mean)
        ranked = self.evidence.ranked(line.experiment)
        found |= {f"relation_{figure}": fixed(summary.mean) for figure, summary in ranked.items()}
        if comparison := self.comparison(line):
            found |= {"reference": REFERENCE, "pairs": str(comparison.pairs)}
            for task, head in HEADS.items():
                found |= {f"{head.lower()}_{name}": exact(value) for name, value in comparison.figures(task).items()}
        notes = [f"{text[0].upper()}{text[1:]}." for text in (group.spread, run.division) if text]
        return found | {"note": " ".join(notes)}


def _inputs(group: Group) -> set[str]:
    return set(group.first.inputs_title.split(", "))


def _on_code(groups: Sequence[Group]) -> str:
    """Return what is said where runs were trained by different code, as far as they say it; else nothing."""
    codes = {run.provenance.get("code") for group in groups for run in group.runs}
    if len(codes) < 2:
        return ""
    older = "; older runs do not say by which" if None in codes else ""
    return f"Not all runs were trained by the same version of the training code{older}."


def _source(row: PublishedRow) -> str:
    return f"{row.source}. {row.note}".strip()


def _on_differences(made: Sequence[Comparison]) -> Iterator[str]:
    yield "Below a row: its difference from the full model on the n pairs of runs of a seed and split that both have"
    family = max((comparison.family for comparison in made if comparison.p), default=0)
    if not family:
        yield "No difference is tested, because the prepared corpus is not at hand"
        return
    yield "In brackets: 95 % bootstrap interval over test sentences"
    yield (
        "Bold: more than one seed, and distinguishable from zero by paired approximate randomisation over test "
        f"sentences (p < 0.05 after Holm's correction over all {family} tests of this document)"
    )
