"""What is in Figures 5 to 8.

F1 by the distance between entities, by sentence length, by the share of the training data, and with a BSA stack that
both phases share or not.
"""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from cman.config.experiments import SHARES
from cman.corpora.document import Document
from cman.evaluation.groups import DISTANCES, LENGTHS, GroupCounts, Range, by_distance, by_length
from cman.report.evidence import Evidence
from cman.report.figures.data import FigureData, Place, Point, Series, points_of, present
from cman.report.frame import MICRO, STRICT, Measured
from cman.report.predictions import Predicted
from cman.report.published import PublishedPoint
from cman.report.results import ALL, COUNTED, Group

# The paper compares the first and the last; between them is the baseline with the inputs of CMAN.
COMPARED = ("multihead-at", "multihead-contextual", "cman")
GROWING = ("multihead-at", "cman")
SHARING = ("cman", "cman-separate")
WHOLE = {"entities": "entities of the test documents", "relations": "relations of the test documents"}

Grouping = Callable[[Sequence[Document], Sequence[Document], Sequence[Range]], list[GroupCounts]]
Points = tuple[PublishedPoint, ...]


def distance_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 5."""
    series, counts = _parted(evidence, by_distance, DISTANCES)
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
        sizes={(task, place): getattr(each, task).gold for place, each in enumerate(counts) for task in COUNTED},
        items={"entities": "entities", "relations": "relations"},
        published=published,
    )


def length_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 6."""
    series, counts = _parted(evidence, by_length, LENGTHS)
    return FigureData(
        name="figure6",
        title="F1 by the length of the sentence",
        axis="tokens of the sentence",
        groups=tuple(each.title for each in LENGTHS),
        series=series,
        definition="A group has the test sentences of that many tokens, and everything in them.",
        sizes={(task, place): each.sentences for place, each in enumerate(counts) for task in COUNTED},
        items={"entities": "sentences", "relations": "sentences"},
        published=published,
    )


def size_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 7; all of the data is the experiment itself."""
    names = {name: [*(f"{name}@{share}" for share in SHARES), name] for name in GROWING}
    present(evidence.groups, [name for row in names.values() for name in row])
    series = []
    for experiment, row in names.items():
        points = {
            (task, place): point
            for place, name in enumerate(row)
            for (task, _), point in points_of(_strict(evidence), name, [MICRO]).items()
            if task in COUNTED
        }
        if points:
            named = next(evidence.groups[name].first for name in reversed(row) if name in evidence.groups)
            title = named.title if experiment in evidence.groups else named.title.partition(",")[0]
            series.append(Series(experiment, title, named.inputs_title, points))
    return FigureData(
        name="figure7",
        title="F1 by the share of the training data",
        axis="percent of the training data",
        groups=tuple(str(share) for share in (*SHARES, 100)),
        series=tuple(series),
        definition="Nested subsets of the training documents, chosen by one seed; always the same test documents.",
        sizes=_sizes(evidence, len(SHARES) + 1) if series else {},
        items=WHOLE,
        published=published,
        lines=True,
    )


def sharing_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 8."""
    frame = _strict(evidence)
    series = [_series(group, points_of(frame, group.first.experiment, [MICRO])) for group in
              present(evidence.groups, SHARING)]  # fmt: skip
    return FigureData(
        name="figure8",
        title="F1 with and without a BSA stack that both phases share",
        axis="",
        groups=("",),
        series=tuple(series),
        definition="Without sharing, the second phase reads a BSA stack of its own.",
        sizes=_sizes(evidence, 1) if series else {},
        items=WHOLE,
        published=published,
    )


FIGURES = {"figure5": distance_figure, "figure6": length_figure, "figure7": size_figure, "figure8": sharing_figure}


def _series(group: Group, points: dict[Place, Point]) -> Series:
    return Series(group.first.experiment, group.first.title, group.first.inputs_title, points)


def _strict(evidence: Evidence) -> pd.DataFrame:
    scores = evidence.scores
    return scores[(scores.matching == STRICT) & scores.task.isin(COUNTED)]


def _parted(
    evidence: Evidence, grouping: Grouping, ranges: Sequence[Range]
) -> tuple[tuple[Series, ...], list[GroupCounts]]:
    """Return the series and, of one seed's test sets, the gold counts of the groups."""
    groups, sizes = present(evidence.groups, COMPARED), [GroupCounts() for _ in ranges]
    titles = [each.title for each in ranges]

    def measure(found: Predicted) -> Iterator[Measured]:
        if found.run.experiment not in COMPARED:
            return
        counts = grouping(found.gold, found.found, ranges)
        for title, each in zip(titles, counts, strict=True):
            for task in COUNTED:
                yield task, STRICT, title, "f1", 100 * getattr(each, task).f1
        first = groups[0].first  # the gold items of another experiment or seed are the same
        if (found.run.experiment, found.run.seed) == (first.experiment, first.seed):
            for size, each in zip(sizes, counts, strict=True):
                size.sentences += each.sentences
                size.entities.gold += each.entities.gold
                size.relations.gold += each.relations.gold

    frame = evidence.frame(measure)
    series = tuple(_series(group, points_of(frame, group.first.experiment, titles)) for group in groups)
    return series, sizes


def _sizes(evidence: Evidence, places: int) -> dict[Place, int]:
    """Return how many gold entities and relations the test documents of one seed have, at every place."""
    group = next(iter(evidence.groups.values()))
    runs = [run for run in group.runs if run.seed == group.first.seed]
    gold = {task: sum(run.scores[task][STRICT][ALL].gold for run in runs) for task in COUNTED}
    return {(task, place): gold[task] for task in COUNTED for place in range(places)}
