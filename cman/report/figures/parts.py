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
from cman.report.figures.data import FigureData, Place, present, series_of
from cman.report.frame import MICRO, STRICT, Measured
from cman.report.predictions import Predicted
from cman.report.published import PublishedPoint
from cman.report.results import ALL, COUNTED

# The paper compares the first and the last; between them is the baseline with the inputs of CMAN.
COMPARED = ("multihead-at", "multihead-contextual", "cman")
GROWING = ("multihead-at", "cman")
GROWING_TOO = "multihead-matched"  # the same baseline with those inputs, where it ran on a part of the data
SHARING = ("cman", "cman-separate")
WHOLE = {"entities": "entities of the test documents", "relations": "relations of the test documents"}

Grouping = Callable[[Sequence[Document], Sequence[Document], Sequence[Range]], list[GroupCounts]]
Points = tuple[PublishedPoint, ...]


def distance_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 5."""
    frame, counts = _by_range(evidence, by_distance, DISTANCES)
    groups = tuple(each.title for each in DISTANCES)
    return FigureData(
        name="figure5",
        title="F1 by the distance between entities",
        axis="characters between the last characters of the two entities of a relation",
        groups=groups,
        series=series_of(evidence, frame, COMPARED, groups),
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
    frame, counts = _by_range(evidence, by_length, LENGTHS)
    groups = tuple(each.title for each in LENGTHS)
    return FigureData(
        name="figure6",
        title="F1 by the length of the sentence",
        axis="tokens of the sentence",
        groups=groups,
        series=series_of(evidence, frame, COMPARED, groups),
        definition="A group has the test sentences of that many tokens, and everything in them.",
        sizes={(task, place): each.sentences for place, each in enumerate(counts) for task in COUNTED},
        items=dict.fromkeys(COUNTED, "sentences"),
        published=published,
    )


def size_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 7; all of the data is the experiment itself."""
    groups = tuple(str(share) for share in (*SHARES, 100))
    too = any(f"{GROWING_TOO}@{share}" in evidence.groups for share in SHARES)
    names = (*GROWING, GROWING_TOO) if too else GROWING
    present(evidence.groups, [name for each in names for name in (*(f"{each}@{share}" for share in SHARES), each)])
    frame = _strict(evidence)
    apart = frame.experiment.str.partition("@")
    series = series_of(evidence, frame.assign(experiment=apart[0], type=apart[2].replace("", "100")), names, groups)
    return FigureData(
        name="figure7",
        title="F1 by the share of the training data",
        axis="percent of the training data",
        groups=groups,
        series=series,
        definition="Nested subsets of the training documents, chosen by one seed; always the same test documents.",
        sizes=_sizes(evidence, len(groups)) if series else {},
        items=WHOLE,
        published=published,
        lines=True,
    )


def sharing_figure(evidence: Evidence, published: Points) -> FigureData:
    """Return Figure 8."""
    series = series_of(evidence, _strict(evidence).assign(type=""), SHARING, ("",))
    return FigureData(
        name="figure8",
        title="F1 with and without a BSA stack that both phases share",
        axis="",
        groups=("",),
        series=series,
        definition="Without sharing, the second phase reads a BSA stack of its own.",
        sizes=_sizes(evidence, 1) if series else {},
        items=WHOLE,
        published=published,
    )


FIGURES = {"figure5": distance_figure, "figure6": length_figure, "figure7": size_figure, "figure8": sharing_figure}


def _strict(evidence: Evidence) -> pd.DataFrame:
    scores = evidence.scores
    return scores[(scores.matching == STRICT) & (scores.figure == MICRO) & scores.task.isin(COUNTED)]


def _by_range(
    evidence: Evidence, grouping: Grouping, ranges: Sequence[Range]
) -> tuple[pd.DataFrame, list[GroupCounts]]:
    """Return F1 of each range, and of one seed's test sets its gold counts."""
    first = next((evidence.groups[name].first for name in COMPARED if name in evidence.groups), None)
    sizes = [GroupCounts() for _ in ranges]

    def measure(found: Predicted) -> Iterator[Measured]:
        if found.run.experiment not in COMPARED:
            return
        counts = grouping(found.gold, found.found, ranges)
        for each, size, part in zip(ranges, sizes, counts, strict=True):
            for task in COUNTED:
                yield task, STRICT, each.title, MICRO, 100 * getattr(part, task).f1
            # The gold items of another experiment or seed are the same.
            if first is not None and (found.run.experiment, found.run.seed) == (first.experiment, first.seed):
                size.sentences += part.sentences
                size.entities.gold += part.entities.gold
                size.relations.gold += part.relations.gold

    return evidence.frame(measure), sizes


def _sizes(evidence: Evidence, places: int) -> dict[Place, int]:
    """Return how many gold entities and relations the test documents of one seed have, at every place."""
    group = next(iter(evidence.groups.values()))
    runs = [run for run in group.runs if run.seed == group.first.seed]
    gold = {task: sum(run.scores[task][STRICT][ALL].gold for run in runs) for task in COUNTED}
    return {(task, place): gold[task] for task in COUNTED for place in range(places)}
