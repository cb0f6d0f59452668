"""Figures 5 and 6: F1 of parts of the test set, by the distance between entities and by sentence length."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cman.corpora.document import Document
from cman.evaluation.counts import Counts
from cman.evaluation.groups import DISTANCES, LENGTHS, GroupCounts, Range, by_distance, by_length
from cman.report.figures.data import TASKS, FigureData, Series, point, present, series_of
from cman.report.predictions import Predicted
from cman.report.results import Group, Run

# The paper compares the first and the last; between them is the baseline with the inputs of CMAN.
COMPARED = ("multihead-at", "multihead-contextual", "cman")

Grouping = Callable[[Sequence[Document], Sequence[Document], Sequence[Range]], list[GroupCounts]]
Documents = Mapping[Path, Predicted]  # by the folder of the run


def distance_figure(groups: Sequence[Group], documents: Documents) -> FigureData:
    """Return Figure 5."""
    series, counts = _series(groups, documents, by_distance, DISTANCES)
    return FigureData(
        name="figure5",
        title="F1 by the distance between entities",
        axis="characters between the last characters of the two entities of a relation",
        groups=tuple(each.title for each in DISTANCES),
        series=series,
        definition=(
            "Distance: characters from the last character of one entity to the last of the other, tokens joined by "
            "blanks. A relation belongs to the group of its own two arguments. The gold entities of a group are the "
            "arguments of its gold relations; its predicted entities are those that share a token with one of these."
        ),
        sizes={(task, place): getattr(each, task).gold for place, each in enumerate(counts) for task in TASKS},
        items={"entities": "entities", "relations": "relations"},
    )


def length_figure(groups: Sequence[Group], documents: Documents) -> FigureData:
    """Return Figure 6."""
    series, counts = _series(groups, documents, by_length, LENGTHS)
    return FigureData(
        name="figure6",
        title="F1 by the length of the sentence",
        axis="tokens of the sentence",
        groups=tuple(each.title for each in LENGTHS),
        series=series,
        definition="A group has the test sentences of that many tokens, and everything in them.",
        sizes={(task, place): each.sentences for place, each in enumerate(counts) for task in TASKS},
        items={"entities": "sentences", "relations": "sentences"},
    )


def _series(
    groups: Sequence[Group], documents: Documents, grouping: Grouping, ranges: Sequence[Range]
) -> tuple[tuple[Series, ...], list[GroupCounts]]:
    """Return the series and, of one seed's test sets, the gold counts of the groups."""
    series, sizes = [], [GroupCounts() for _ in ranges]
    for group in present(groups, COMPARED):
        counts = {
            run.folder: grouping(documents[run.folder].gold, documents[run.folder].found, ranges) for run in group.runs
        }
        points = {
            (task, place): point(group, partial(_value, counts, task, place))
            for task in TASKS
            for place in range(len(ranges))
        }
        series.append(series_of(group, points))
        sizes = _gold(group, counts, ranges)
    return tuple(series), sizes


def _value(counts: Mapping[Path, list[GroupCounts]], task: str, place: int, run: Run) -> float:
    figure: Counts = getattr(counts[run.folder][place], task)
    return 100 * figure.f1


def _gold(group: Group, counts: Mapping[Path, list[GroupCounts]], ranges: Sequence[Range]) -> list[GroupCounts]:
    """Add up the gold items of the first seed's divisions; those of another seed are the same."""
    sizes = [GroupCounts() for _ in ranges]
    for run in group.runs:
        if run.seed == min(other.seed for other in group.runs):
            for size, each in zip(sizes, counts[run.folder], strict=True):
                size.sentences += each.sentences
                size.entities.gold += each.entities.gold
                size.relations.gold += each.relations.gold
    return sizes
