"""The rows of a table before they are printed: each published row beside the runs here that repeat it.

A row has a published side, a measured side or both. The paper's rows come first, in its order; then the experiments
that were added to a table here, and a user's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cman.config.experiments import EXPERIMENTS
from cman.report.published import PublishedRow, PublishedTable
from cman.report.results import Group


@dataclass(frozen=True)
class Entry:
    """One row; `repeated` tells a published row that an experiment here repeats, whether it has run or not."""

    title: str
    experiment: str
    published: PublishedRow | None
    group: Group | None

    @property
    def repeated(self) -> bool:
        """Whether the row is to have measured figures, which are dashes where nothing ran."""
        return self.published is None or bool(self.experiment)


def entries_of(table: PublishedTable, groups: Sequence[Group], first: bool) -> tuple[list[Entry], list[Entry]]:
    """Return the paper's rows and the added ones of a table of one corpus, whose groups are given.

    Args:
        groups: of this corpus; none for a corpus that could not be had.
        first: whether this is the corpus's first table, which also shows experiments of a user's own.
    """
    by_name = {group.first.experiment: group for group in groups}
    sample = bool(groups) and groups[0].first.sample
    paper = [
        Entry(row.method, row.experiment, row, by_name.get(row.experiment))
        for row in table.rows
        # A sample corpus has nothing to do with what was published, and no row for what did not run on it.
        if not sample or row.experiment in by_name
    ]
    if sample:
        paper = [Entry(_title(entry.group), entry.experiment, None, entry.group) for entry in paper]
    names = [name for name in table.added if name in by_name or not sample]
    if first:
        names += sorted(name for name in by_name if name not in EXPERIMENTS or not table.number)
    added = [
        Entry(_title(by_name.get(name)) or EXPERIMENTS[name].title, name, None, by_name.get(name)) for name in names
    ]
    return paper, added


def _title(group: Group | None) -> str:
    return "" if group is None else group.first.title
