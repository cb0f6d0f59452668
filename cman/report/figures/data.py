"""A figure before it is drawn: for each series, task and group a mean over seeds, with the runs behind it.

The two panels of every figure are entities and relations under strict matching, F1 in percent. The points are a
pivot of the tidy table (`cman.report.frame`), whose `type` is the group that a point stands over.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cman.errors import CmanError
from cman.report.evidence import Evidence
from cman.report.frame import MICRO, Summary
from cman.report.published import PublishedPoint
from cman.report.results import Group

Place = tuple[str, int]  # task, and position of the group


@dataclass(frozen=True)
class Point:
    """One value of a series: its mean and deviation over seeds, each seed's own value, and the runs."""

    summary: Summary
    by_seed: Mapping[int, float]


@dataclass(frozen=True)
class Series:
    """One experiment's values."""

    experiment: str
    title: str
    inputs: str
    points: Mapping[Place, Point]


@dataclass(frozen=True)
class FigureData:
    """One figure.

    Args:
        groups: what stands under the axis.
        sizes: how many test items each group has.
        items: what these items are, by task.
        definition: how the groups are made, in words.
        published: what the paper's text gives.
        lines: whether the groups are positions on a scale, joined by lines.
    """

    name: str
    title: str
    axis: str
    groups: tuple[str, ...]
    series: tuple[Series, ...]
    definition: str
    sizes: Mapping[Place, int] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    published: tuple[PublishedPoint, ...] = ()
    lines: bool = False

    @property
    def seeds(self) -> tuple[int, int]:
        """The smallest and the largest number of seeds behind a point."""
        counts = [len(point.by_seed) for series in self.series for point in series.points.values()]
        return min(counts, default=0), max(counts, default=0)

    @property
    def epochs(self) -> list[str]:
        """For how long its models were trained; empty where epochs, or updates on a share of the data, are equal."""
        runs = [run for series in self.series for point in series.points.values() for run in point.summary.runs]
        trained = [run for run in runs if run.epochs]
        updates = {run.settings["training"]["epochs"] * run.settings["training"]["fraction"] for run in trained}
        epochs = {run.epochs: run.settings["training"]["epochs"] for run in trained}
        return sorted(epochs, key=lambda name: epochs[name]) if min(len(epochs), len(updates)) > 1 else []

    def measured(self, point: PublishedPoint) -> float | None:
        """Return what was measured here of what the paper's text gives, a difference on the seeds that both have."""
        place = point.task, self.groups.index(point.group)
        by_seed = {series.experiment: series.points[place].by_seed for series in self.series if place in series.points}
        if point.experiment not in by_seed:
            return None
        if not point.reference:
            return statistics.mean(by_seed[point.experiment].values())
        one, other = by_seed[point.experiment], by_seed.get(point.reference, {})
        apart = [one[seed] - other[seed] for seed in one.keys() & other.keys()]
        return statistics.mean(apart) if apart else None

    def to_json(self, corpus: str, sample: bool) -> dict[str, Any]:
        """Return every point with its runs, and what was published."""
        return {
            "figure": self.name,
            "title": self.title,
            "corpus": corpus,
            "sample": sample,
            "definition": self.definition,
            "error_bars": "sample standard deviation over seeds",
            "points": [
                line | {"by_seed": dict(point.by_seed), "runs": [run.reference() for run in point.summary.runs]}
                for line, point in self.rows()
            ],
            "published": [
                point.model_dump(exclude={"figure"}) | {"measured": _rounded(self.measured(point))}
                for point in self.published
            ],
        }

    def rows(self) -> list[tuple[dict[str, Any], Point]]:
        """Return what the CSV has of each point, and the point."""
        return [
            (
                {
                    "experiment": series.experiment,
                    "title": series.title,
                    "task": task,
                    "group": self.groups[place],
                    "items": self.sizes.get((task, place)),
                    "f1": _rounded(point.summary.mean),
                    "sd": _rounded(point.summary.sd),
                    "seeds": len(point.by_seed),
                },
                point,
            )
            for series in self.series
            for (task, place), point in sorted(series.points.items(), key=lambda item: item[0])
        ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def series_of(
    evidence: Evidence, frame: pd.DataFrame, names: Sequence[str], groups: Sequence[str]
) -> tuple[Series, ...]:
    """Return the means over seeds of each experiment's F1; the folds of a seed are averaged first.

    Args:
        frame: a tidy table whose `type` is the group that a line belongs to.
        names: of experiments; those without any line have no series.
    """
    present(evidence.groups, names)
    lines = frame[(frame.figure == MICRO) & frame.type.isin(groups)].dropna(subset="value")
    series = []
    for name in names:
        points, own = {}, lines[lines.experiment == name]
        for (task, kind), members in own.groupby(["task", "type"]):
            by_seed = {
                int(str(seed)): round(statistics.mean(values), 6) for seed, values in members.groupby("seed").value
            }
            values = list(by_seed.values())
            sd = statistics.stdev(values) if len(values) > 1 else None
            summary = Summary(statistics.mean(values), sd, tuple(members["run"]))
            points[str(task), groups.index(str(kind))] = Point(summary, by_seed)
        if points or name in evidence.groups:
            first = evidence.groups[name].first if name in evidence.groups else own.run.iloc[-1]
            # Of a share of the data alone, whose title says which.
            title = first.title if first.experiment == name else first.title.partition(",")[0]
            series.append(Series(name, title, first.inputs_title, points))
    return tuple(series)


def present(groups: Mapping[str, Group], names: Sequence[str]) -> list[Group]:
    """Return the groups of experiments in the order of the names, as far as they ran.

    Raises:
        CmanError: they were not tested on the same divisions, so that they cannot stand beside each other.
    """
    found = [groups[name] for name in names if name in groups]
    for group in found[1:]:
        here, wanted = (sorted({run.split for run in each.runs}) for each in (group, found[0]))
        if here != wanted:
            raise CmanError(
                f"{group.first.experiment} on {group.first.corpus}: found the splits {', '.join(here)}, wanted "
                f"{', '.join(wanted)} as {found[0].first.experiment} has; one figure shows the same test documents"
            )
    return found
