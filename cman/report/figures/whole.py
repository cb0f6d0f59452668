"""Figures 7 and 8: F1 on the whole test set, by the share of the training data and with a BSA stack of one's own."""

from collections.abc import Sequence

from cman.config.experiments import SHARES
from cman.report.figures.data import TASKS, FigureData, Point, Series, point, present, series_of
from cman.report.results import Counts, Group, Run, f1

ITEMS = {"entities": "entities of the test documents", "relations": "relations of the test documents"}
GROWING = ("multihead-at", "cman")
SHARED, SEPARATE = "cman", "cman-separate"
# What the text of section IV-E says of CMAN with 60 % of the training data of CoNLL04.
PUBLISHED_AT_60 = {("entities", 2): 86.82, ("relations", 2): 62.91}


def size_figure(groups: Sequence[Group]) -> FigureData:
    """Return Figure 7; all of the data is the experiment itself."""
    by_name = {group.first.experiment: group for group in groups}
    names = [[*(f"{name}@{share}" for share in SHARES), name] for name in GROWING]
    present(groups, [name for row in names for name in row])
    series = []
    for experiment, row in zip(GROWING, names, strict=True):
        points = {
            key: value
            for place, name in enumerate(row)
            if name in by_name
            for key, value in _points(by_name[name], place).items()
        }
        if points:
            named = by_name.get(experiment) or next(by_name[name] for name in row if name in by_name)
            title = named.first.title.partition(",")[0] if experiment not in by_name else named.first.title
            series.append(Series(experiment, title, named.first.inputs_title, points))
    real = bool(groups) and groups[0].first.corpus == "conll04"
    return FigureData(
        name="figure7",
        title="F1 by the share of the training data",
        axis="percent of the training data",
        groups=tuple(str(share) for share in (*SHARES, 100)),
        series=tuple(series),
        definition="Nested subsets of the training documents, chosen by one seed; always the same test documents.",
        sizes=_sizes(groups, len(SHARES) + 1) if series else {},
        items=ITEMS,
        published=PUBLISHED_AT_60 if real and series else {},
        lines=True,
    )


def sharing_figure(groups: Sequence[Group]) -> FigureData:
    """Return Figure 8."""
    series = [series_of(group, _points(group, 0)) for group in present(groups, (SHARED, SEPARATE))]
    return FigureData(
        name="figure8",
        title="F1 with and without a BSA stack that both phases share",
        axis="",
        groups=("",),
        series=tuple(series),
        definition="Without sharing, the second phase reads a BSA stack of its own.",
        sizes=_sizes(groups, 1) if series else {},
        items=ITEMS,
    )


def _sizes(groups: Sequence[Group], places: int) -> dict[tuple[str, int], int]:
    """Return how many gold entities and relations the test documents of one seed have, at every place."""
    first = groups[0].runs[0].seed
    runs = [run for run in groups[0].runs if run.seed == first]
    return {(task, place): sum(_level(run, task).gold for run in runs) for task in TASKS for place in range(places)}


def _points(group: Group, place: int) -> dict[tuple[str, int], Point]:
    def value(task: str) -> Point:
        return point(group, lambda run: _strict(run, task))

    return {(task, place): value(task) for task in TASKS}


def _strict(run: Run, task: str) -> float:
    return f1(_level(run, task))


def _level(run: Run, task: str) -> Counts:
    return {"entities": run.entities, "relations": run.relations}[task]["strict"].all
