"""A figure before it is drawn: for each series, task and group a mean over seeds, with the runs behind it.

The two panels of every figure are entities and relations under strict matching, F1 in percent.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cman.errors import CmanError
from cman.report.results import Group, Run, Summary, reference, summarise

TASKS = ("entities", "relations")


@dataclass(frozen=True)
class Point:
    """One value of a series: its mean and deviation over seeds, each seed's own value, and the runs."""

    summary: Summary
    by_seed: Mapping[int, float]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Series:
    """One experiment's values, by (task, position of the group)."""

    experiment: str
    title: str
    inputs: str
    points: Mapping[tuple[str, int], Point]


@dataclass(frozen=True)
class FigureData:
    """One figure.

    Args:
        groups: what stands under the axis.
        sizes: how many test items each group has, by (task, position); empty where all are of the whole test set.
        items: what these items are, by task.
        definition: how the groups are made, in words.
        published: figures that the paper's text gives, by (task, position).
        lines: whether the groups are positions on a scale, joined by lines.
    """

    name: str
    title: str
    axis: str
    groups: tuple[str, ...]
    series: tuple[Series, ...]
    definition: str
    sizes: Mapping[tuple[str, int], int] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[tuple[str, int], float] = field(default_factory=dict)
    lines: bool = False

    @property
    def seeds(self) -> tuple[int, int]:
        """The smallest and the largest number of seeds behind a point."""
        counts = [len(point.by_seed) for series in self.series for point in series.points.values()]
        return min(counts, default=0), max(counts, default=0)

    def to_json(self, corpus: str, sample: bool) -> dict[str, Any]:
        """Return every point with its runs."""
        return {
            "figure": self.name,
            "title": self.title,
            "corpus": corpus,
            "sample": sample,
            "definition": self.definition,
            "error_bars": "sample standard deviation over seeds",
            "points": [line | {"by_seed": dict(point.by_seed), "runs": [reference(run) for run in point.runs]}
                       for line, point in self.rows()],
        }  # fmt: skip

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
                    "f1": round(point.summary.mean, 6),
                    "sd": None if point.summary.sd is None else round(point.summary.sd, 6),
                    "seeds": len(point.by_seed),
                },
                point,
            )
            for series in self.series
            for (task, place), point in sorted(series.points.items(), key=lambda item: (item[0][0], item[0][1]))
        ]


def point(group: Group, value: Callable[[Run], float]) -> Point:
    """Return the mean over seeds of a run's value; the folds of a seed are averaged first."""
    seeds: dict[int, list[float]] = {}
    for run in group.runs:
        seeds.setdefault(run.seed, []).append(value(run))
    by_seed = {seed: round(statistics.mean(values), 6) for seed, values in sorted(seeds.items())}
    return Point(summarise(list(by_seed.values())), by_seed, group.runs)


def series_of(group: Group, points: Mapping[tuple[str, int], Point]) -> Series:
    """Return the series of an experiment, titled as its runs are."""
    return Series(group.first.experiment, group.first.title, group.first.inputs_title, points)


def present(groups: Sequence[Group], names: Sequence[str]) -> list[Group]:
    """Return the groups of experiments in the order of the names, as far as they ran.

    Raises:
        CmanError: they were not tested on the same divisions, so that they cannot stand beside each other.
    """
    by_name = {group.first.experiment: group for group in groups}
    found = [by_name[name] for name in names if name in by_name]
    for group in found[1:]:
        here, wanted = (sorted({run.split for run in each.runs}) for each in (group, found[0]))
        if here != wanted:
            raise CmanError(
                f"{group.first.experiment} on {group.first.corpus}: found the splits {', '.join(here)}, wanted "
                f"{', '.join(wanted)} as {found[0].first.experiment} has; one figure shows the same test documents"
            )
    return found
